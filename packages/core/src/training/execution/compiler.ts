import { createBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';
import type { LoweringRules } from '../../lowering/rule.js';
import type { LiveSettings } from '../../plugins/registry.js';
import type { Device } from '../../runtime/runtime.js';
import { compileStep } from '../../step/compile.js';
import type { HalfPrecision } from '../../step/half-precision.js';
import type { Feeding, Part } from '../../step/program.js';
import type { TrainingGraph } from '../../step/training-graph.js';
import { graphForm } from '../source/graph-form.js';
import type { FedValue } from '../source/source.js';
import { findLabels, type LabelInput } from './checks.js';
import type { OpenDevice } from './device.js';
import { createExecutor, type Executor } from './executor.js';
import type { SessionParts } from './session-parts.js';
import type { StateStore } from './state-store.js';

export interface Compiled {
  readonly executor: Executor;
  readonly labels: readonly LabelInput[];
}

/** Compiles steps for exact shapes, and for the branches that are taken, and keeps the last few. */
export interface Compiler {
  get(part: Part, feeding: Feeding, inputs: readonly FedValue[]): Promise<Compiled>;
  release(): Promise<void>;
}

/** Batch shapes in use at one time: a full batch, a last partial one, each in one or two ways of feeding. */
const kept = 8;

export function createCompiler(
  parts: SessionParts & {
    readonly store: StateStore;
    readonly live: LiveSettings;
    readonly current: () => OpenDevice;
  },
): Compiler {
  const cache = new Map<string, Compiled>();

  /** Loaded where it is of use. */
  async function loweringRules({ channelBlock }: Device): Promise<LoweringRules | undefined> {
    if (channelBlock === undefined) return undefined;
    const { blockedConvolution } = await import('../../lowering/blocked/convolution.js');
    return blockedConvolution(channelBlock);
  }

  async function halfPrecision(): Promise<HalfPrecision | undefined> {
    if (!parts.halfPrecision) return undefined;
    return (await import('../../step/half-precision.js')).halfPrecision;
  }

  async function compile(
    part: Part,
    feeding: Feeding,
    inputs: readonly FedValue[],
  ): Promise<Compiled> {
    const graph =
      part === 'update'
        ? updateGraph(parts)
        : await parts.source.build(inputs, graphForm(parts.current().execution.provider));
    const { execution, limits, sessionOptions } = parts.current();
    const { provider } = execution;
    const labels = findLabels(graph.builder, graph.inputs, parts.source.ignoredLabel, provider);
    const program = compileStep(graph, {
      chain: parts.plan.chain,
      groups: parts.plan.groups,
      provider,
      part,
      feeding,
      live: parts.live,
      learningRate: parts.learningRate,
      wantsMetric: parts.wantsMetric,
      halfPrecision: await halfPrecision(),
      loweringRules: await loweringRules(limits),
    });
    return {
      executor: await createExecutor(parts.runtime, program, sessionOptions, parts.store),
      labels,
    };
  }

  return {
    async get(part, feeding, inputs) {
      const shapes = inputs
        .map(({ name, type, shape, numbers }) => `${name}:${type}[${shape}]${numbers?.data ?? ''}`)
        .join();
      const key = `${part} ${feeding} ${shapes}`;
      const compiled = cache.get(key) ?? (await compile(part, feeding, inputs));
      // Deleted and set again: a Map remembers the order, so the first is the one not used for longest.
      cache.delete(key);
      cache.set(key, compiled);
      for (const [oldest, { executor }] of cache) {
        if (cache.size <= kept) break;
        cache.delete(oldest);
        await executor.release();
      }
      return compiled;
    },
    async release() {
      for (const { executor } of cache.values()) await executor.release();
      cache.clear();
    },
  };
}

/** Chain and optimizer alone: gradients come in from outside. */
function updateGraph({ source }: SessionParts): TrainingGraph {
  const builder = createBuilder();
  const declare = (name: string, prefix = '') => {
    const { type, dims } = source.parameters.get(name) as {
      type: Value['type'];
      dims: readonly number[];
    };
    return builder.declare({ name: `${prefix}${name}`, type, shape: dims, parameter: name });
  };
  return {
    builder,
    inputs: [],
    trainable: source.trainable.map((name) => ({
      parameter: declare(name),
      gradient: declare(name, 'gradient/'),
    })),
    frozen: [],
    statistics: [],
    loss: builder.op.scalar(0),
    outputs: [],
    seed: builder.op.scalar(1),
  };
}
