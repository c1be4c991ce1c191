import type { InferenceSession } from 'onnxruntime-common';
import type { Provider } from '../lowering/rule.js';
import type { CommonOptions, GradientPlugin } from '../plugins/plugin.js';
import { type Bench, createBench } from './bench.js';
import { type Shapes, sampled, shapes } from './plugin-samples.js';
import type { Tensors, TestRuntime } from './runtime.js';

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

/** What a bench is built with, where it is not as usual. */
interface TrialBench {
  readonly common?: CommonOptions;
  readonly over?: Shapes;
  readonly weights?: Tensors;
  readonly plugins?: readonly GradientPlugin[];
  readonly on?: Provider;
}

/** A plugin under test. */
export interface Trial<Given> {
  readonly make: PluginMaker<Given>;
  given(common?: CommonOptions): Given & CommonOptions;
  /** The plugin with no further options. */
  readonly plain: GradientPlugin;
  readonly nonFinite: 'shows' | 'removes';
  readonly provider: Provider;
  /** The gradients of five steps. */
  readonly steps: readonly Tensors[];
  /** Runs `use` with a bench around the plugin, and lets it go. */
  on<Result>(use: (bench: Bench) => Promise<Result>, bench?: TrialBench): Promise<Result>;
}

export function createTrial<Given>(
  make: PluginMaker<Given>,
  { options, nonFinite = 'shows', provider = 'cpu', runtime, session }: PluginTestOptions<Given>,
): Trial<Given> {
  const given = (common: CommonOptions = {}) =>
    ({ ...options, ...common }) as Given & CommonOptions;

  return {
    ...{ make, given, nonFinite, provider },
    plain: make(given()),
    steps: [1, 2, 3, 4, 5].map((salt) => sampled(shapes, 100 * salt)),
    async on(
      use,
      {
        common,
        over = shapes,
        weights = sampled(over, 7),
        plugins = [make(given(common))],
        on: own = provider,
      } = {},
    ) {
      const bench = await createBench({
        ...{ plugins, weights, seed: 1, provider: own, runtime },
        // What one provider is told (not to fall back to the CPU) may make no sense to another.
        session: own === provider ? session : undefined,
      });
      try {
        return await use(bench);
      } finally {
        await bench.release();
      }
    },
  };
}

/** Makes some steps, and gives the state after them. */
export async function runSteps(bench: Bench, steps: readonly Tensors[]): Promise<Tensors> {
  for (const gradients of steps) await bench.step(gradients);
  return bench.state();
}
