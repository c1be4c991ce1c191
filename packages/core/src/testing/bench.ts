import type { InferenceSession } from 'onnxruntime-common';
import { tensorOf } from '../graph/constants.js';
import { elementCount } from '../graph/value.js';
import type { Provider } from '../lowering/rule.js';
import type { TensorData } from '../onnx/ir.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import type { LiveSettings } from '../plugins/registry.js';
import type { Setting } from '../schedules/schedule.js';
import { optimizerPrefix } from '../step/groups.js';
import { type Feeding, names, type StepProgram } from '../step/program.js';
import type { GroupOptions } from '../training/api.js';
import { planTraining } from '../training/execution/groups.js';
import { createHost } from './bench-host.js';
import { compileChain, inputName } from './compile.js';
import { recorder, seenKey } from './recorder.js';
import { createRunner, type Tensors, type TestRuntime } from './runtime.js';
import { floats, sameTensor } from './tensors.js';

/** What a chain is tried on: parameters with their weights, and how steps are made. */
export interface BenchOptions {
  readonly plugins: readonly GradientPlugin[];
  readonly weights: Tensors;
  /** Default: one that only records what reaches it, and subtracts it from the weights. */
  readonly optimizer?: Optimizer | undefined;
  /** Parameters with a chain, an optimizer and a learning rate of their own; as in a session. */
  readonly groups?: readonly GroupOptions[] | undefined;
  readonly learningRate?: Setting | undefined;
  readonly seed?: number | undefined;
  readonly provider?: Provider | undefined;
  /** Default: onnxruntime-node. */
  readonly runtime?: TestRuntime | undefined;
  readonly session?: InferenceSession.SessionOptions | undefined;
}

export interface BenchStep {
  /** What reached the optimizer, by parameter; of an optimizer of your own nothing is known. */
  readonly gradients: Tensors;
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether the optimizer made a step: no plugin waited or dropped it. Of several groups: whether that of any did. */
  readonly applied: boolean;
  readonly dropped: boolean;
  /** Why a plugin ended training, if one did. */
  readonly stopped: string | undefined;
}

/** Feeds gradients to a chain and an optimizer, without a model. */
export interface Bench {
  /** What a session would warn about: orders in the chain that are known to be wrong. */
  readonly warnings: readonly string[];
  /** One step; gradients by parameter name. */
  step(gradients: Tensors): Promise<BenchStep>;
  /** All steps in one run (an ONNX Loop); returns the metrics of each. */
  steps(gradients: readonly Tensors[]): Promise<readonly Readonly<Record<string, number>>[]>;
  /** Everything that lives from step to step, by its name in checkpoints: weights, moments, residuals. */
  state(): Tensors;
  /** How many steps were made. */
  position(): number;
  /** Continues from a state. */
  load(state: Tensors, position: number): void;
  release(): Promise<void>;
}

const scalar = (type: 'float32' | 'int32' | 'uint32' | 'bool', value: number): TensorData =>
  tensorOf(type, [value], []);

export async function createBench(options: BenchOptions): Promise<Bench> {
  const { plugins, weights, optimizer = recorder(), groups, learningRate = 1 } = options;
  const { seed = 0, provider = 'cpu', runtime, session } = options;
  const parameters = [...weights].map(([name, { dims }]) => ({ name, shape: dims }));
  const plan = planTraining(parameters, plugins, optimizer, groups);
  const live: LiveSettings = new Map();
  const programs = new Map<Feeding, StepProgram>();
  const runner = await createRunner(runtime, {
    ...session,
    executionProviders: [provider],
    logSeverityLevel: 3,
  });
  const host = createHost();
  let state = new Map<string, TensorData>(
    [...weights].map(([name, tensor]) => [`parameter/${name}`, tensor]),
  );
  let position = 0;

  function programFor(feeding: Feeding): StepProgram {
    const known =
      programs.get(feeding) ??
      compileChain({
        ...{ plan, weights, provider, feeding, live, learningRate },
        wantsMetric: () => true,
      }).program;
    programs.set(feeding, known);
    for (const { key, init } of known.states) if (!state.has(key)) state.set(key, init());
    return known;
  }

  async function runStages(
    program: StepProgram,
    inputs: Tensors,
    hostMetrics: Map<string, number>,
  ) {
    const known = new Map(inputs);
    for (const stage of program.stages) {
      for (const visit of stage.hosts)
        await host.visit({ program, position, metrics: hostMetrics }, visit, known);
      const feeds = new Map(stage.inputs.map((name) => [name, known.get(name) as TensorData]));
      for (const [name, tensor] of await runner.run(stage.model, feeds)) known.set(name, tensor);
    }
    return known;
  }

  return {
    warnings: plan.warnings,
    async step(gradients) {
      const program = programFor('single');
      const metrics = new Map<string, number>();
      const known = await runStages(
        program,
        new Map([
          ...[...gradients].map(([name, tensor]) => [inputName(name), tensor] as const),
          ...program.states.map(
            ({ key, value }) => [value.name, state.get(key) as TensorData] as const,
          ),
          ...program.scalars.map(
            ({ value, at }) => [value.name, scalar(value.type as 'float32', at(position))] as const,
          ),
          [names.seed, scalar('uint32', seed)],
        ]),
        metrics,
      );
      const before = state;
      state = new Map(state);
      for (const { key, next } of program.states)
        if (next !== undefined) state.set(key, known.get(next) as TensorData);
      position++;
      for (const [metric, name] of program.metrics)
        metrics.set(metric, floats(known.get(name) as TensorData)[0] ?? 0);
      return {
        gradients: new Map(
          plan.groups.flatMap((group) =>
            group.parameters.flatMap((name) => {
              const seen = state.get(seenKey(name, group.name));
              return seen === undefined ? [] : [[name, seen] as const];
            }),
          ),
        ),
        metrics: Object.fromEntries(metrics),
        applied: plan.groups.some(({ name }) => {
          const count = `${optimizerPrefix(name)}count`;
          return !sameTensor(before.get(count) as TensorData, state.get(count) as TensorData);
        }),
        dropped: program.dropped !== undefined && known.get(program.dropped)?.data[0] === 1,
        stopped: program.stops.find(({ name }) => known.get(name)?.data[0] === 1)?.reason,
      };
    },
    async steps(gradients) {
      const program = programFor('batches');
      const stage = program.stages[0];
      if (stage === undefined) return [];
      const trips = gradients.length;
      const known = new Map<string, TensorData>([
        [names.trips, { type: 'int64', dims: [], data: BigInt64Array.of(BigInt(trips)) }],
        [names.seed, scalar('uint32', seed)],
      ]);
      for (const [name, tensor] of weights)
        known.set(
          names.stacked(inputName(name)),
          stack(
            gradients.map((step) => step.get(name) as TensorData),
            tensor.dims,
          ),
        );
      for (const { value, at } of program.scalars)
        known.set(
          names.stacked(value.name),
          tensorOf(
            value.type,
            Array.from({ length: trips }, (_, i) => at(position + i)),
          ),
        );
      for (const { key, value } of program.states) {
        known.set(names.initial(value.name), state.get(key) as TensorData);
        known.set(value.name, state.get(key) as TensorData);
      }
      const feeds = new Map(stage.inputs.map((name) => [name, known.get(name) as TensorData]));
      const results = await runner.run(stage.model, feeds);
      state = new Map(state);
      for (const { key, value, next } of program.states)
        if (next !== undefined) state.set(key, results.get(names.final(value.name)) as TensorData);
      position += trips;
      return gradients.map((_, i) =>
        Object.fromEntries(
          [...program.metrics].map(([metric, name]) => [
            metric,
            floats(results.get(names.collected(name)) as TensorData)[i] ?? 0,
          ]),
        ),
      );
    },
    state: () => {
      programFor('single');
      return new Map([
        ...state,
        ...[...host.state].map(([key, data]): [string, TensorData] => [
          key,
          { type: 'float32', dims: [data.length], data: data.slice() },
        ]),
      ]);
    },
    position: () => position,
    load(saved, at) {
      const { states } = programFor('single');
      const graphKeys = new Set(states.map(({ key }) => key));
      for (const [key, tensor] of saved)
        if (graphKeys.has(key)) state.set(key, tensor);
        else host.state.set(key, floats(tensor).slice());
      position = at;
    },
    release: () => runner.release(),
  };
}

function stack(tensors: readonly TensorData[], dims: readonly number[]): TensorData {
  const size = elementCount(dims);
  const data = new Float32Array(size * tensors.length);
  tensors.forEach((tensor, i) => {
    data.set(floats(tensor), i * size);
  });
  return { type: 'float32', dims: [tensors.length, ...dims], data };
}
