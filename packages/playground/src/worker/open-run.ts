import { elementCount, type Feeds, type TrainingOptions } from '@gradware/core';
import { TrainingSession } from '@gradware/core/web';
import type { WantedInput } from '@gradware/data';
import type { GpuReport, OpenedRun, RunConfig } from '../shared/protocol.js';
import { idsOf, makeChain, makeOptimizer, readSetting } from './parts.js';
import { decideProvider } from './runtime-choice.js';
import { type DataFiles, feedsOf, type ModelFiles, type OwnFiles } from './sources.js';

/** A session with its data, ready to be trained. */
export interface Run {
  readonly config: RunConfig;
  /** What it was opened with. */
  readonly own: OwnFiles;
  readonly session: TrainingSession;
  readonly train: Feeds;
  readonly test: Feeds;
  readonly trainExamples: number;
  /** The input that takes an image of 64 pixels; undefined where there is none. */
  readonly image: { readonly name: string; readonly dims: readonly number[] } | undefined;
  readonly classes: number;
  readonly opened: OpenedRun;
}

const pixels = 64;
const isInteger = (type: string | undefined) => /^u?int/.test(type ?? '');

/** Opens a session for a configuration.
 *  @throws GradwareError for anything that cannot work */
export async function openRun(
  config: RunConfig,
  own: OwnFiles,
  model: ModelFiles,
  data: DataFiles,
  gpu: GpuReport,
): Promise<Run> {
  const { provider, why } = decideProvider(config.provider, gpu);
  const options: TrainingOptions = {
    // What works everywhere stands behind the GPU, should that go away.
    executionProviders: provider === 'webgpu' ? ['webgpu', 'wasm'] : ['wasm'],
    plugins: makeChain(config.chain, config.watch),
    optimizer: makeOptimizer(config.optimizer),
    learningRate: readSetting(config.learningRate),
    seed: config.seed,
  };
  const session = await TrainingSession.create(model.source, options);
  try {
    const wanted = session.trainingInputs as readonly WantedInput[];
    const [train, test] = [feedsOf(data.train, wanted), feedsOf(data.test, wanted)];
    const image = wanted.find(
      ({ type, shape }) => type === 'float32' && sizeOfExample(shape) === pixels,
    );
    const parameters = await Promise.all(
      session.trainableNames.map(async (name) => ({
        name,
        size: elementCount((await session.getParameter(name)).dims),
      })),
    );
    const others = wanted.filter((input) => input !== image);
    const draws = image !== undefined && others.every(({ type }) => isInteger(type));
    return {
      config,
      own,
      session,
      train,
      test,
      trainExamples: data.train.length,
      image: image && { name: image.name, dims: image.shape.slice(1).map(Number) },
      classes: classesOf(test),
      opened: {
        provider: session.provider === 'webgpu' ? 'webgpu' : 'wasm',
        why: session.provider === provider ? why : `webgpu does not work: ${refusals(session)}`,
        modelName: model.name,
        dataName: data.name,
        parameters,
        inputs: wanted.map(({ name, type, shape }) => `${name}: ${type} [${shape.join(', ')}]`),
        trainExamples: data.train.length,
        testExamples: data.test.length,
        ids: idsOf(config.chain),
        warnings: session.warnings,
        draws,
        classes: classesOf(test),
        step: session.stepCount,
        epoch: 0,
      },
    };
  } catch (error) {
    await session.release();
    throw error;
  }
}

function refusals({ execution }: TrainingSession): string {
  return execution.refused.map((reason) => reason.replace(/^webgpu: /, '')).join('; ');
}

function sizeOfExample(shape: WantedInput['shape']): number {
  return shape.slice(1).reduce<number>((size, dim) => size * Number(dim), 1);
}

/** One more than the largest label. */
function classesOf(feeds: Feeds): number {
  const labels = Object.values(feeds).find(
    ({ type, dims }) => isInteger(type) && dims.length === 1,
  );
  let largest = -1;
  for (const label of (labels?.data ?? []) as Iterable<number | bigint>)
    largest = Math.max(largest, Number(label));
  return largest + 1;
}
