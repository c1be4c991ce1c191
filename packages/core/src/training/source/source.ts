import type { OptimizerState, Property } from '../../artifacts/ort-checkpoint.js';
import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';
import type { Provider } from '../../lowering/rule.js';
import type { Model, TensorData, ValueInfo } from '../../onnx/ir.js';
import type { Optimizer } from '../../optimizers/optimizer.js';
import type { TrainingGraph } from '../../step/training-graph.js';
import type { GraphForm } from './graph-form.js';

/** A model for evaluation: parameters are inputs. */
export interface EvaluationModel {
  readonly model: Model;
  /** User inputs, by name. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Types and constants of its values, where it was written for a provider. */
  readonly known?: Pick<GraphBuilder, 'values' | 'constant'> | undefined;
}

/** An input of exact shape, and its numbers where branches hang on them. */
export interface FedValue extends Value {
  readonly numbers?: TensorData | undefined;
}

/** What is trained, whichever door it came through. */
export interface ModelSource {
  readonly kind: 'artifacts' | 'forward';
  readonly file: string;
  /** What a training step is fed, with symbolic dimensions where the model has them. */
  readonly inputs: readonly ValueInfo[];
  /** Those of them that the loss added: their shapes follow from the others. */
  readonly targets: readonly string[];
  /** Those whose numbers decide which branches are taken: steps and evaluations are made for them, as for shapes. */
  readonly switches?: ReadonlySet<string> | undefined;
  /** The label that a cross entropy ignores where the model names none: ORT's kernels take -1. In a forward model such
   *  a label is more often a mistake than a wish. */
  readonly ignoredLabel?: number | undefined;
  /** Loss first. */
  readonly outputNames: readonly string[];
  readonly evalInputs: readonly ValueInfo[];
  readonly evalOutputs: readonly string[];
  /** Those of them that a loss over classes judges; undefined where that is not known. */
  readonly scoreOutputs?: readonly string[] | undefined;
  /** First values of everything that is fed: trainable, frozen, running statistics. In the order of the file. */
  readonly parameters: ReadonlyMap<string, TensorData>;
  readonly trainable: readonly string[];
  readonly frozen: readonly string[];
  /** Frozen ones that shapes and indices are made of: steps have them built in, so that they cannot be changed. */
  readonly fixed?: ReadonlySet<string> | undefined;
  /** Running statistics: changed by steps, but not by the optimizer. */
  readonly statistics: readonly string[];
  /** The artifacts' own. */
  readonly optimizer: Optimizer | undefined;
  /** Moments and step count that a checkpoint brought along. */
  readonly optimizerState: OptimizerState | undefined;
  /** What is noted in the checkpoint. */
  readonly properties?: ReadonlyMap<string, Property> | undefined;
  /** Whether the parameters are only names yet. */
  readonly nominal: boolean;
  readonly defaultLearningRate: number | undefined;
  readonly warnings: readonly string[];
  /** Forward and backward pass for inputs of exact shapes. */
  build(inputs: readonly FedValue[], form?: GraphForm): Promise<TrainingGraph>;
  /** The evaluation model, as this provider is given it; for exact shapes where it depends on them. */
  evaluation(inputs: readonly FedValue[], provider: Provider): Promise<EvaluationModel>;
  /** Whether `evaluation` is the same for all shapes. */
  evaluationIsDynamic(provider: Provider): boolean;
  /** The forward model with these parameters as initializers. */
  exported(
    parameters: ReadonlyMap<string, TensorData>,
    outputs: readonly string[] | undefined,
  ): Model;
}
