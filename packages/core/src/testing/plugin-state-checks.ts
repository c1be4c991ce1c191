import { decodeTrainingState, encodeTrainingState } from '../artifacts/training-state.js';
import type { Check } from './checks.js';
import { expectSame } from './compare.js';
import { shapes } from './plugin-samples.js';
import { runSteps, type Trial } from './plugin-trial.js';
import type { Tensors } from './runtime.js';

/** Seed and saved state, and what becomes of the state where a plugin rests. */
export function stateChecks<Given>(trial: Trial<Given>): readonly Check[] {
  const { plain, steps, on } = trial;
  return [
    {
      name: 'is a function of the seed',
      run: async () => {
        const [first, second] = [
          await on((b) => runSteps(b, steps)),
          await on((b) => runSteps(b, steps)),
        ];
        expectSame(first, second, 'a second run with the same seed');
      },
    },
    {
      name: 'continues from saved state as if it had never stopped',
      run: async () => {
        const whole = await on((bench) => runSteps(bench, steps));
        const half = await on(async (bench) => {
          const tensors = await runSteps(bench, steps.slice(0, 2));
          return encodeTrainingState({ step: 2, seed: 1, tensors, metadata: {} });
        });
        const { tensors: saved, step } = decodeTrainingState(half);
        const continued = await on((bench) => {
          bench.load(saved, step);
          return runSteps(bench, steps.slice(2));
        });
        expectSame(continued, whole, 'after loading');
      },
    },
    {
      name: 'rests outside its steps, its state too',
      run: async () =>
        on(
          async (bench) => {
            const own = () =>
              new Map([...bench.state()].filter(([key]) => key.startsWith('plugin/')));
            for (const [i, gradients] of steps.entries()) {
              const before = own();
              const result = await bench.step(gradients);
              if (i === 1 || i === 3) continue;
              expectSame(result.gradients, gradients, `step ${i}`);
              expectSame(own(), before, `the state after step ${i}`);
            }
          },
          { common: { from: 1, until: 4, every: 2 } },
        ),
    },
    // What replaces the gradient of the loss is for all parameters.
    ...(plain.seed === undefined ? [leavesOthersAlone(trial)] : []),
  ];
}

function leavesOthersAlone<Given>({ steps, on }: Trial<Given>): Check {
  return {
    name: 'leaves excluded parameters alone, and others as if these were not there',
    run: async () => {
      const kept = { 'layer.weight': shapes['layer.weight'] as readonly number[] };
      const alone = await on(
        (b) =>
          runSteps(
            b,
            steps.map((s) => pick(s, Object.keys(kept))),
          ),
        { over: kept },
      );
      for (const common of [
        { include: 'layer.weight' },
        { exclude: ['layer.bias', 'conv.*', 'scale'] },
      ])
        await on(
          async (bench) => {
            for (const gradients of steps) {
              const result = await bench.step(gradients);
              const others = [...shapesWithout('layer.weight')];
              if (result.applied)
                expectSame(
                  pick(result.gradients, others),
                  pick(gradients, others),
                  'excluded gradients',
                );
            }
            const own = [...bench.state()].filter(([key]) => alone.has(key));
            // A plugin that holds its own parameters holds the count only where these are all.
            const count = 'optimizer/count';
            const wanted = [...alone].filter(([key]) => key !== count);
            expectSame(
              new Map(own.filter(([key]) => key !== count)),
              new Map(wanted),
              `with ${JSON.stringify(common)}`,
            );
          },
          { common },
        );
    },
  };
}

function pick(all: Tensors, names: readonly string[]): Tensors {
  return new Map([...all].filter(([name]) => names.includes(name)));
}

function shapesWithout(name: string): readonly string[] {
  return Object.keys(shapes).filter((other) => other !== name);
}
