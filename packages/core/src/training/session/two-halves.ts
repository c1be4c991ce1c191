import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import type { Runtime } from '../../runtime/runtime.js';
import { copyOf, toTensor } from '../../runtime/tensors.js';
import { names } from '../../step/program.js';
import type { TrainingSession } from '../api.js';
import type { StateStore } from '../execution/state-store.js';
import type { ModelSource } from '../source/source.js';
import { fetched, readFetches } from './fetches.js';
import { refuseStopped } from './outcome.js';
import type { ProgressKeeper } from './progress.js';
import type { Queue } from './queue.js';
import type { Runner } from './run.js';

interface HalfStepParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly store: StateStore;
  readonly progress: ProgressKeeper;
  readonly run: Runner;
  readonly queue: Pick<Queue, 'add'>;
}

/** A step in two halves, as onnxruntime-web/training made it: the gradients lie between them, and add up. */
export function stepInHalves(
  parts: HalfStepParts,
): Pick<TrainingSession, 'runTrainStep' | 'runOptimizerStep' | 'gradients'> {
  const { runtime, source, store, progress, run, queue } = parts;
  const keys = new Map(source.trainable.map((name) => [name, `gradient/${name}`]));

  return {
    runTrainStep: async (feeds, fetches, options) => {
      const asked = readFetches(fetches, options, source.outputNames);
      const { signal } = asked;
      return queue.add(async () => {
        const resets = toTensor(runtime.Tensor, {
          type: 'bool',
          data: Uint8Array.of(progress.accumulates ? 0 : 1),
          dims: [],
        });
        const { program, result } = await run({
          part: 'backward',
          feeding: 'single',
          given: [feeds],
          feeds: { ...feeds, [names.reset]: resets },
          count: 1,
          signal,
        });
        progress.noteMicroBatch();
        const wanted = [program.loss ?? '', ...program.outputs];
        const all = Object.fromEntries(
          wanted.map((name, i) => [source.outputNames[i] ?? name, result.values[name] as Tensor]),
        );
        return fetched(all, asked);
      }, signal);
    },
    runOptimizerStep: (options) =>
      queue.add(async () => {
        const gradients: Record<string, Tensor> = {};
        for (const key of keys.values()) {
          const tensor = store.feed(key);
          if (tensor === undefined)
            throw new GradwareError('INVALID_OPTION', 'There are no gradients yet', {
              remedy: 'Call runTrainStep first.',
            });
          gradients[key] = tensor;
        }
        const ran = await run({
          part: 'update',
          feeding: 'single',
          given: [],
          feeds: gradients,
          count: 1,
          signal: options?.signal,
        });
        progress.advance(1);
        refuseStopped(ran, progress.read().step);
      }, options?.signal),
    gradients: () =>
      queue.add(async () => {
        const known = [...keys].filter(([, key]) => store.has(key));
        await store.toHost(known.map(([, key]) => key));
        return new Map(
          known.map(
            ([name, key]) => [name, copyOf(runtime.Tensor, store.get(key) as Tensor)] as const,
          ),
        );
      }),
  };
}
