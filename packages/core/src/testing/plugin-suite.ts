import type { InferenceSession } from 'onnxruntime-common';
import { decodeTrainingState, encodeTrainingState } from '../artifacts/training-state.js';
import type { Provider } from '../lowering/rule.js';
import type { TensorData } from '../onnx/ir.js';
import type { CommonOptions, GradientPlugin } from '../plugins/plugin.js';
import { type Bench, createBench } from './bench.js';
import { type Check, fail, runAll } from './checks.js';
import { allFinite, expectClose, expectFinite, expectSame } from './compare.js';
import type { Tensors, TestRuntime } from './runtime.js';
import { floats, sameNumber, sample } from './tensors.js';

/** A plugin factory as definePlugin makes it, or any function from options to a plugin. */
export interface PluginMaker<Given> {
  (given?: Given & CommonOptions): GradientPlugin;
  readonly definition?: {
    readonly description?: string;
    readonly options: Readonly<Record<string, { readonly help: string }>>;
  };
}

export interface PluginTestOptions<Given> {
  /** Handed to the factory in every check. */
  readonly options?: Given | undefined;
  /** What the plugin does to a gradient that holds NaN or infinity: `shows` it (in the result, or by dropping or
   *  holding the step; the default), or `removes` it. */
  readonly nonFinite?: 'shows' | 'removes' | undefined;
  /** Default: cpu. */
  readonly provider?: Provider | undefined;
  /** Default: onnxruntime-node. */
  readonly runtime?: TestRuntime | undefined;
  readonly session?: InferenceSession.SessionOptions | undefined;
}

const shapes: Readonly<Record<string, readonly number[]>> = {
  'layer.weight': [4, 3],
  'layer.bias': [5],
  'conv.weight': [2, 1, 3, 3],
  scale: [],
};
const emptyShapes = { ...shapes, none: [0], 'no.rows': [0, 3] };

function tensors(
  of: Readonly<Record<string, readonly number[]>>,
  salt: number,
  change: (tensor: TensorData) => TensorData = (tensor) => tensor,
): Tensors {
  return new Map(
    Object.entries(of).map(([name, shape], i) => [name, change(sample(shape, salt + 31 * i))]),
  );
}

const filledWith =
  (value: number) =>
  (tensor: TensorData): TensorData => ({
    ...tensor,
    data: floats(tensor).map(() => value),
  });

/** The last element becomes `value`. */
const spoiledBy =
  (value: number) =>
  (tensor: TensorData): TensorData => ({
    ...tensor,
    data: floats(tensor).map((x, i, all) => (i === all.length - 1 ? value : x)),
  });

/** Everything that a plugin has to keep to, as single checks: for a test runner's own table of tests. */
export function pluginChecks<Given>(
  make: PluginMaker<Given>,
  {
    options,
    nonFinite = 'shows',
    provider = 'cpu',
    runtime,
    session,
  }: PluginTestOptions<NoInfer<Given>> = {},
): readonly Check[] {
  const given = (common: CommonOptions = {}) =>
    ({ ...options, ...common }) as Given & CommonOptions;
  const steps = [1, 2, 3, 4, 5].map((salt) => tensors(shapes, 100 * salt));
  const plain = make(given());

  /** Runs `use` with a bench around the plugin, and lets it go. */
  async function on<Result>(
    use: (bench: Bench) => Promise<Result>,
    {
      common,
      over = shapes,
      seed = 1,
      plugins = [make(given(common))],
      on: own = provider,
    }: {
      common?: CommonOptions;
      over?: Readonly<Record<string, readonly number[]>>;
      seed?: number;
      plugins?: readonly GradientPlugin[];
      on?: Provider | undefined;
    } = {},
  ): Promise<Result> {
    const bench = await createBench({
      ...{ plugins, weights: tensors(over, 7), seed, provider: own, runtime },
      // What one provider is told (not to fall back to the CPU) may make no sense to another.
      session: own === provider ? session : undefined,
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

  const checks: Check[] = [
    {
      name: 'keeps shapes and types, of scalars and empty gradients too',
      run: () =>
        on(
          async (bench) => {
            const gradients = tensors(emptyShapes, 1);
            const before = tensors(emptyShapes, 1);
            const result = await bench.step(gradients);
            for (const [name, tensor] of result.gradients)
              if (`${tensor.dims}` !== `${emptyShapes[name as keyof typeof emptyShapes]}`)
                fail(`the gradient of ${name} became [${tensor.dims}]`);
            expectSame(gradients, before, 'the gradients that were fed changed');
          },
          { over: emptyShapes },
        ),
    },
    {
      name: 'changes neither its options nor the gradients and weights it is given',
      run: async () => {
        const frozen = Object.freeze(given());
        const weights = tensors(shapes, 7);
        const gradients = tensors(shapes, 1);
        const bench = await createBench({
          plugins: [make(frozen)],
          weights,
          provider,
          runtime,
          session,
        });
        await bench.step(gradients);
        await bench.release();
        expectSame(gradients, tensors(shapes, 1), 'the gradients');
        expectSame(weights, tensors(shapes, 7), 'the weights');
      },
    },
    ...[0, 1, 1e30, 1e-30, 1e-40].map(
      (size): Check => ({
        name: `gives finite results for gradients of size ${size}`,
        run: () =>
          on(async (bench) => {
            const scaled = (tensor: TensorData) => ({
              ...tensor,
              data: floats(tensor).map((x) => x * size),
            });
            for (const salt of [1, 2]) {
              const result = await bench.step(tensors(shapes, salt, scaled));
              if (result.applied) expectFinite(result.gradients, `step ${salt}`);
            }
            const result = await bench.step(tensors(shapes, 3, filledWith(size)));
            if (result.applied) expectFinite(result.gradients, 'gradients that are all the same');
          }),
      }),
    ),
    ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(
      (value): Check => ({
        name: nonFinite === 'shows' ? `does not hide ${value}` : `removes ${value}`,
        run: () =>
          on(async (bench) => {
            for (const name of Object.keys(shapes)) {
              const gradients = tensors(shapes, 5);
              const spoiled = spoiledBy(value)(gradients.get(name) as TensorData);
              const result = await bench.step(new Map([...gradients, [name, spoiled]]));
              if (!result.applied) continue;
              const sound = [...result.gradients.values()].every(allFinite);
              if (nonFinite === 'removes' && !sound) fail(`${value} in ${name} is still there`);
              // A bound may turn infinity into a number, but nothing makes a number of NaN.
              if (nonFinite === 'shows' && sound && Number.isNaN(value))
                fail(`NaN in ${name} became numbers that look sound`);
            }
          }),
      }),
    ),
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
  ];
  // What replaces the gradient of the loss is for all parameters.
  if (plain.seed === undefined)
    checks.push({
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
    });
  if (provider !== 'cpu')
    checks.push({
      name: 'gives the numbers of the CPU',
      run: async () => {
        const here = await on((bench) => runSteps(bench, steps));
        const there = await on((bench) => runSteps(bench, steps), { on: 'cpu' });
        expectClose(here, there, provider);
      },
    });
  // WebGPU has no Loop.
  if (plain.transformHost === undefined && provider !== 'webgpu')
    checks.push({
      name: 'does the same in one run of many steps as in many runs',
      run: async () => {
        const [one, many] = [
          await on((bench) => runSteps(bench, steps)),
          await on(async (bench) => {
            await bench.steps(steps);
            return bench.state();
          }),
        ];
        expectSame(many, one, 'five steps in one run');
      },
    });
  if (plain.transform !== undefined && plain.encode !== undefined && plain.decode !== undefined)
    checks.push({
      name: 'gives by transform the numbers of decode after encode, and counts its bytes',
      run: async () => {
        const { transform: _, ...wire } = make(given());
        const runAndCount = async (bench: Bench) => {
          const bytes: (number | undefined)[] = [];
          for (const gradients of steps)
            bytes.push((await bench.step(gradients)).metrics[`${plain.id ?? plain.name}.bytes`]);
          return { state: bench.state(), bytes: `${bytes}` };
        };
        const [fast, sent] = [await on(runAndCount), await on(runAndCount, { plugins: [wire] })];
        expectSame(sent.state, fast.state, 'decode after encode', sameNumber);
        if (sent.bytes !== fast.bytes)
          fail(`it reports ${fast.bytes} bytes, and sends ${sent.bytes}`);
      },
    });
  if (make.definition !== undefined)
    checks.push({
      name: 'describes itself and its options',
      run: async () => {
        const { description = '', options: declared } = make.definition as NonNullable<
          typeof make.definition
        >;
        if (description === '') fail('it has no description');
        for (const [name, { help }] of Object.entries(declared))
          if (help === '') fail(`its option ${name} has no help text`);
      },
    });
  return checks;
}

function pick(all: Tensors, names: readonly string[]): Tensors {
  return new Map([...all].filter(([name]) => names.includes(name)));
}

function shapesWithout(name: string): readonly string[] {
  return Object.keys(shapes).filter((other) => other !== name);
}

/** Tries a plugin on everything that the plugin contract asks for: shapes and types kept; zero, empty, scalar, huge
 *  and tiny gradients; NaN and infinity; the seed; saved state; include and exclude; from, until and every; nothing
 *  changed that was handed in; the same in one run of many steps; transform = decode ∘ encode.
 *
 *      test('keeps to the contract', () => testPlugin(normClip, { options: { maxNorm: 1 } }));
 *
 *  Needs no particular test runner. It takes a second or so.
 *  @throws GradwareError PLUGIN_CONTRACT with every check that fails */
export async function testPlugin<Given>(
  make: PluginMaker<Given>,
  options: PluginTestOptions<NoInfer<Given>> = {},
): Promise<void> {
  const { name } = make({ ...options.options } as Given & CommonOptions);
  await runAll(`The plugin ${name}`, pluginChecks(make, options));
}
