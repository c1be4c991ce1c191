export type { Property } from './artifacts/ort-checkpoint.js';
export { type ErrorCode, type ErrorDetails, GradwareError } from './errors.js';
export type { Op } from './graph/builder.js';
export type { State, StateOptions } from './graph/state.js';
export { elementCount, sameShape, type TensorType, type Value } from './graph/value.js';
export {
  bceWithLogits,
  cosine,
  crossEntropy,
  hinge,
  huber,
  klDivergence,
  l1,
  losses,
  lossFunction,
  mse,
  nll,
  type OnnxLossOptions,
  onnxLoss,
  output,
} from './losses/index.js';
export {
  defineLoss,
  type Loss,
  type LossContext,
  type LossDefinition,
  type LossFactory,
} from './losses/loss.js';
export type { Provider } from './lowering/rule.js';
export { elementTypes } from './onnx/element-types.js';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './onnx/float16.js';
export type { DataType, Dim, TypedArray } from './onnx/ir.js';
export { adam, adamw } from './optimizers/adamw.js';
export * from './optimizers/optimizer.js';
export { sgd } from './optimizers/sgd.js';
export { didYouMean, nearest } from './options/nearest.js';
export {
  boolean,
  type ConstantOption,
  constant,
  finite,
  fraction,
  type Given,
  integer,
  type Kind,
  nonNegative,
  number,
  type Option,
  type Options,
  oneOf,
  positive,
  type Resolved,
  ratio,
  type SettingOption,
  setting,
} from './options/options.js';
export { parseSchedule } from './options/parse-schedule.js';
export type {
  ParameterFilter,
  ParameterInfo,
  ParameterPattern,
  ParameterPredicate,
} from './plugins/match.js';
export { packBits, unpackBits } from './plugins/pack-bits.js';
export * from './plugins/plugin.js';
export type { Device, Runtime } from './runtime/runtime.js';
export { schedules } from './schedules/index.js';
export { type Schedule, type Setting, valueAt } from './schedules/schedule.js';
export type {
  ArtifactFiles,
  CheckDataOptions,
  CheckpointState,
  ExportOptions,
  ExportWeightsOptions,
  Feeds,
  Fetches,
  GroupOptions,
  ImportedWeights,
  ImportWeightsOptions,
  Rows,
  RunOptions,
  SaveOptions,
  Source,
  StepResult,
  StepsResult,
  TrainingOptions,
} from './training/api.js';
export type { ConvertedArtifacts, ConvertOptions } from './training/convert-artifacts.js';
export type { GeneratedArtifacts, GenerateOptions } from './training/generate/generate.js';
export type { ArtifactOptimizer } from './training/generate/optimizer.js';
export type { Inspection, OpUse } from './training/inspect/inspect.js';
export type { Fallback, FallbackOptions } from './training/inspect/inspect-fallbacks.js';
export { inspectModel } from './training/inspect/inspect-model.js';
export { type Evaluation, type EvaluationOptions, evaluate } from './training/loop/evaluation.js';
export {
  type EpochEvent,
  type Position,
  type StepsEvent,
  type TrainerOptions,
  type TrainingEvent,
  train,
} from './training/loop/trainer.js';
export type { ParameterChoice } from './training/source/trainable.js';
export {
  GRADIENT_PLUGIN,
  LOGGER,
  type Logger,
  OPTIMIZER,
  RUNTIME,
  SCHEDULE,
} from './training/tokens.js';
