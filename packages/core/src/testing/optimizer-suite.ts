import type { InferenceSession } from 'onnxruntime-common';
import { decodeTrainingState, encodeTrainingState } from '../artifacts/training-state.js';
import type { Provider } from '../lowering/rule.js';
import type { TensorData } from '../onnx/ir.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import { type Bench, createBench } from './bench.js';
import { type Check, fail, runAll } from './checks.js';
import { allFinite, expectClose, expectFinite, expectSame } from './compare.js';
import type { Tensors, TestRuntime } from './runtime.js';
import { floats, sample } from './tensors.js';

export interface OptimizerTestOptions<Given> {
  /** Handed to the factory in every check. */
  readonly options?: Given | undefined;
  /** Default: the optimizer's own. */
  readonly learningRate?: number | undefined;
  /** Default: cpu. */
  readonly provider?: Provider | undefined;
  /** Default: onnxruntime-node. */
  readonly runtime?: TestRuntime | undefined;
  readonly session?: InferenceSession.SessionOptions | undefined;
}

const shapes: Readonly<Record<string, readonly number[]>> = {
  weight: [4, 3],
  bias: [5],
  scale: [],
  none: [0],
};

function tensors(salt: number, scale = 1): Tensors {
  return new Map(
    Object.entries(shapes).map(([name, shape], i) => [name, sample(shape, salt + 31 * i, scale)]),
  );
}

/** Everything that an optimizer has to keep to, as single checks. */
export function optimizerChecks<Given>(
  make: (given?: Given) => Optimizer,
  {
    options,
    learningRate,
    provider = 'cpu',
    runtime,
    session,
  }: OptimizerTestOptions<NoInfer<Given>> = {},
): readonly Check[] {
  const steps = [1, 2, 3, 4, 5].map((salt) => tensors(100 * salt));

  async function on<Result>(
    use: (bench: Bench) => Promise<Result>,
    weights: Tensors = tensors(7),
    own: Provider = provider,
  ): Promise<Result> {
    const optimizer = make(options);
    const rate = learningRate ?? optimizer.defaultLearningRate;
    const bench = await createBench({
      ...{ plugins: [], optimizer, weights, learningRate: rate, provider: own, runtime, session },
    });
    try {
      return await use(bench);
    } finally {
      await bench.release();
    }
  }

  const runSteps = async (bench: Bench, all: readonly Tensors[]) => {
    for (const gradients of all) await bench.step(gradients);
    return bench.state();
  };
  const weightsOf = (state: Tensors) =>
    new Map([...state].filter(([key]) => key.startsWith('parameter/')));

  const checks: Check[] = [
    {
      name: 'moves the weights, and keeps their shapes',
      run: () =>
        on(async (bench) => {
          const after = await runSteps(bench, steps.slice(0, 1));
          for (const [name, before] of tensors(7)) {
            const tensor = after.get(`parameter/${name}`) as TensorData;
            if (`${tensor.dims}` !== `${before.dims}`) fail(`${name} became [${tensor.dims}]`);
            if (tensor.data.length > 0 && floats(tensor).every((w, i) => w === floats(before)[i]))
              fail(`${name} stayed where it was`);
          }
        }),
    },
    {
      name: 'leads to the minimum of a parabola',
      run: async () => {
        const size = (all: Tensors) =>
          [...all.values()].reduce((sum, t) => sum + floats(t).reduce((s, w) => s + w * w, 0), 0);
        await on(async (bench) => {
          for (let step = 0; step < 40; step++) {
            const state = bench.state();
            await bench.step(
              new Map(
                Object.keys(shapes).map((n) => [n, state.get(`parameter/${n}`) as TensorData]),
              ),
            );
          }
          const [first, last] = [size(tensors(7)), size(weightsOf(bench.state()))];
          if (!(last < first))
            fail(`the weights went from ${first} to ${last}, squared and summed`);
        });
      },
    },
    ...[0, 1e-30, 1e15].map(
      (scale): Check => ({
        name: `gives finite weights for gradients of size ${scale}`,
        run: () =>
          on(async (bench) => {
            const after = await runSteps(bench, [tensors(1, scale), tensors(2, scale)]);
            expectFinite(weightsOf(after), 'weights');
          }),
      }),
    ),
    {
      name: 'does not hide NaN',
      run: () =>
        on(async (bench) => {
          const spoiled = { ...sample([4, 3], 1), data: new Float32Array(12).fill(Number.NaN) };
          const after = await runSteps(bench, [new Map([...tensors(1), ['weight', spoiled]])]);
          if (allFinite(after.get('parameter/weight') as TensorData))
            fail('a gradient of NaN gave a weight that looks sound');
        }),
    },
    {
      name: 'continues from saved state as if it had never stopped',
      run: async () => {
        const whole = await on((bench) => runSteps(bench, steps));
        const half = await on(async (bench) => {
          const saved = await runSteps(bench, steps.slice(0, 2));
          return encodeTrainingState({ step: 2, seed: 0, tensors: saved, metadata: {} });
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
      name: 'changes neither gradients nor weights that it is given',
      run: async () => {
        const [weights, gradients] = [tensors(7), tensors(1)];
        await on((bench) => bench.step(gradients), weights);
        expectSame(gradients, tensors(1), 'the gradients');
        expectSame(weights, tensors(7), 'the weights');
      },
    },
  ];
  if (provider !== 'cpu')
    checks.push({
      name: 'gives the numbers of the CPU',
      run: async () => {
        const here = await on((bench) => runSteps(bench, steps));
        const there = await on((bench) => runSteps(bench, steps), tensors(7), 'cpu');
        expectClose(here, there, provider);
      },
    });
  // WebGPU has no Loop.
  if (provider !== 'webgpu')
    checks.push({
      name: 'does the same in one run of many steps as in many runs',
      run: async () => {
        const one = await on((bench) => runSteps(bench, steps));
        const many = await on(async (bench) => {
          await bench.steps(steps);
          return bench.state();
        });
        expectSame(many, one, 'five steps in one run');
      },
    });
  return checks;
}

/** Tries an optimizer on everything that the contract asks for; see testPlugin.
 *  @throws GradwareError PLUGIN_CONTRACT with every check that fails */
export async function testOptimizer<Given>(
  make: (given?: Given) => Optimizer,
  options: OptimizerTestOptions<NoInfer<Given>> = {},
): Promise<void> {
  await runAll(`The optimizer ${make(options.options).name}`, optimizerChecks(make, options));
}
