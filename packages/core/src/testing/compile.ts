import { createBuilder, type GraphBuilder } from '../graph/builder.js';
import { tensorOf } from '../graph/constants.js';
import type { Provider } from '../lowering/rule.js';
import type { LiveSettings } from '../plugins/registry.js';
import type { Setting } from '../schedules/schedule.js';
import { compileStep } from '../step/compile.js';
import type { Feeding, StepProgram } from '../step/program.js';
import type { TrainingGraph } from '../step/training-graph.js';
import type { TrainingPlan } from '../training/execution/groups.js';
import type { Tensors } from './runtime.js';

export interface ChainCompilation {
  readonly plan: TrainingPlan;
  readonly weights: Tensors;
  readonly provider: Provider;
  readonly feeding: Feeding;
  readonly live: LiveSettings;
  readonly learningRate: Setting;
  readonly wantsMetric: (name: string) => boolean;
}

/** The name of the input that a gradient comes in by. */
export const inputName = (parameter: string) => `input/${parameter}`;

/** A step whose gradients are inputs; multiplied by the gradient of the loss, so that plugins that replace it
 *  (loss scaling) do to these gradients what they would do to real ones. */
export function compileChain({ plan, weights, ...options }: ChainCompilation): {
  readonly builder: GraphBuilder;
  readonly program: StepProgram;
} {
  const builder = createBuilder();
  const seed = builder.initializer('loss_grad', tensorOf('float32', [1], []));
  const inputs = [...weights].map(([name, { type, dims }]) =>
    builder.declare({ name: inputName(name), type, shape: dims }),
  );
  const trainable = [...weights].map(([name, { type, dims }], i) => ({
    parameter: builder.declare({ name, type, shape: dims }),
    gradient: { ...builder.op.Mul(inputs[i], seed), parameter: name },
  }));
  const graph: TrainingGraph = {
    ...{ builder, inputs, trainable, seed },
    ...{ frozen: [], statistics: [], outputs: [] },
    loss: builder.op.Sub(seed, seed),
  };
  const { chain, groups } = plan;
  return { builder, program: compileStep(graph, { chain, groups, part: 'step', ...options }) };
}
