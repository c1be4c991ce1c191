import type { InferenceSession, Tensor } from 'onnxruntime-common';
import type { Property } from '../artifacts/ort-checkpoint.js';
import type { StraightThroughOp } from '../gradients/rules/straight-through.js';
import type { Loss } from '../losses/loss.js';
import type { Provider } from '../lowering/rule.js';
import type { FloatType, TensorData, ValueInfo } from '../onnx/ir.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { ParameterFilter, ParameterPattern } from '../plugins/match.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import type { Setting } from '../schedules/schedule.js';
import type { BatchNormMode } from './source/batch-norm.js';

/** Feeds or results by name. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** A path (on the web: a URL), or the bytes themselves. */
export type Source = string | URL | Uint8Array | ArrayBuffer;

/** A checkpoint: a file, a folder of .pbseq files (ORT up to 1.15), or the files by name where it has several:
 *  `{ checkpoint, 'checkpoint.data' }`, `{ 'paramtrain_tensors.pbseq', ... }`. */
export type CheckpointState = Source | Readonly<Record<string, Source>>;

/** The files that ORT's tools write, under the names that onnxruntime-web/training gave them. */
export interface ArtifactFiles {
  readonly checkpointState: CheckpointState;
  readonly trainModel: Source;
  readonly evalModel?: Source | undefined;
  readonly optimizerModel?: Source | undefined;
}

/** Parameters with a chain, an optimizer and a learning rate of their own. */
export interface GroupOptions extends Omit<ParameterFilter, 'include'> {
  /** What the settings, metrics and state of its plugins and its optimizer begin with: `<name>/<id>.<option>`. */
  readonly name: string;
  /** Its parameters: names, globs or predicates; of these the ones that no earlier group matches. */
  readonly match?: ParameterPattern | undefined;
  /** Its own chain. A global norm here is that of the group. */
  readonly plugins?: readonly GradientPlugin[] | undefined;
  /** Default: the session's. It keeps its own count of steps. */
  readonly optimizer?: Optimizer | undefined;
  /** Default: the session's, with every change of it. */
  readonly learningRate?: Setting | undefined;
}

/** Options of ONNX Runtime may stand among them, where onnxruntime-web/training took them, or under `session`. */
export interface TrainingOptions
  extends Readonly<Omit<InferenceSession.SessionOptions, 'executionProviders'>> {
  /** Tried in order; 'auto' takes the best that works, and no GPU that the processor only imitates. Default ['cpu'] in Node, ['wasm'] on the web. */
  readonly executionProviders?:
    | readonly (
        | Provider
        | 'auto'
        | { readonly name: Provider | 'auto' }
        | InferenceSession.ExecutionProviderConfig
      )[]
    | undefined;
  /** The chain, in order; after what is registered under GRADIENT_PLUGIN. It works on all parameters together, before
   *  the chains of groups: a global norm here is that of the whole model. */
  readonly plugins?: readonly GradientPlugin[] | undefined;
  /** Default: the artifacts' own; for a forward model AdamW. */
  readonly optimizer?: Optimizer | undefined;
  /** A number or a schedule. Default: 0.001 for artifacts (as ORT), else the optimizer's. */
  readonly learningRate?: Setting | undefined;
  /** Parts of the model with a chain, an optimizer and a learning rate of their own. A parameter is in the first group
   *  that matches it; what none matches has the session's optimizer and learning rate. */
  readonly groups?: readonly GroupOptions[] | undefined;
  /** Computes forward and backward pass in float16 where that is safe, on weights that stay float32, and scales the
   *  loss with this plugin, so that small gradients do not vanish: `mixedPrecision: lossScale()`. It is the first of
   *  the chain. Faster on webgpu (where the adapter has shader-f16) and cuda; cpu and wasm only imitate it. */
  readonly mixedPrecision?: GradientPlugin | undefined;
  /** For a forward model: what is minimised. A name or a Loss. */
  readonly loss?: Loss | string | undefined;
  /** For a forward model: the outputs, or values within the graph, that go to the loss. Default: the first output. */
  readonly lossInputNames?: readonly string[] | undefined;
  /** Parameters to train, as names or globs. Default: see `inspectModel`. */
  readonly requiresGrad?: readonly string[] | undefined;
  /** Parameters to leave alone, as names or globs. */
  readonly frozenParams?: readonly string[] | undefined;
  /** For a forward model: 'train' lets batch norms normalise by the batch and update their running statistics,
   *  'frozen' keeps them to the statistics that they have. Default: as each was exported. */
  readonly batchNorm?: BatchNormMode | undefined;
  /** For a forward model: ops through which the gradient passes as if they did not round, instead of being zero. */
  readonly straightThrough?: readonly StraightThroughOp[] | undefined;
  /** Outputs that steps return beside the loss. */
  readonly additionalOutputNames?: readonly string[] | undefined;
  /** Random numbers (dropout, noise, stochastic rounding) are a function of it. Default 0. */
  readonly seed?: number | undefined;
  /** Plugin metrics: all, none, or those whose name matches a glob. Default: all. */
  readonly metrics?: boolean | readonly string[] | undefined;
  /** Handed to ONNX Runtime for every session, e.g. `{ intraOpNumThreads: 1 }`. */
  readonly session?: InferenceSession.SessionOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What one step gives back. */
export interface StepResult {
  readonly loss: number;
  /** By `<plugin id>.<key>`. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Whether a plugin undid the step; a plugin of a group undoes what is of its group. */
  readonly dropped: boolean;
  /** What `additionalOutputNames` asked for. */
  readonly outputs: Feeds;
}

/** What K steps in one run give back: one entry a step. */
export interface StepsResult {
  readonly losses: Float32Array;
  readonly metrics: Readonly<Record<string, Float32Array>>;
  readonly dropped: readonly boolean[];
}

/** Whole data sets and the rows that each step takes from them: nothing is copied or stacked. */
export interface Rows {
  /** By input name: [N, ...], or a number of no axes that all rows share. */
  readonly data: Feeds;
  /** One list of B row numbers for each step. */
  readonly rows: readonly ArrayLike<number>[];
}

/** Those of ONNX Runtime are taken, as onnxruntime-web/training took them, and change nothing. */
export interface RunOptions extends InferenceSession.RunOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface CheckDataOptions extends RunOptions {
  /** Examples in a batch, where the model leaves that open. Default 32. */
  readonly batchSize?: number | undefined;
}

/** Outputs to return: their names, or an object that has them as keys. */
export type Fetches = readonly string[] | Readonly<Record<string, unknown>>;

export interface ExportOptions {
  /** Outputs of the exported model. Default: those of the forward model; for artifacts what the loss is
   *  computed from. */
  readonly outputs?: readonly string[] | undefined;
}

export interface ExportWeightsOptions {
  /** Leaves out what is frozen, running statistics too. Default false. */
  readonly trainableOnly?: boolean | undefined;
  /** Converts floating-point weights. Default: as they are. */
  readonly type?: FloatType | undefined;
  /** Free text for the file's header; `format` is "pt" unless it says otherwise. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

export interface ImportWeightsOptions {
  /** Refuses files that lack a parameter or hold something else. Default true. */
  readonly strict?: boolean | undefined;
}

/** What came of loading weights by name. */
export interface ImportedWeights {
  readonly loaded: readonly string[];
  /** Parameters that the file does not have: they stay as they were. */
  readonly missing: readonly string[];
  /** What the file has and the model does not. */
  readonly unexpected: readonly string[];
}

export interface SaveOptions {
  /** `gradware`: everything, so that training continues exactly (a safetensors file). `ort`: a checkpoint that
   *  ORT's own training runtime loads. Default `gradware`. */
  readonly format?: 'gradware' | 'ort' | undefined;
  /** For `ort`: with moments and step count; has to be false where there are groups. Default true. */
  readonly includeOptimizerState?: boolean | undefined;
  /** Numbers and texts to note, such as the epoch (in ORT: the property bag). Default: those of the checkpoint that
   *  was loaded. */
  readonly properties?: Readonly<Record<string, Property>> | undefined;
  /** Free text kept in the checkpoint (format gradware). */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** What the steps really run on. */
export interface Execution {
  readonly provider: Provider;
  /** Threads that work on one step; undefined where ONNX Runtime decides. */
  readonly threads: number | undefined;
  /** The GPU, as it calls itself; undefined where that cannot be known. */
  readonly adapter: string | undefined;
  /** What was asked for first and does not work, with the reasons. */
  readonly refused: readonly string[];
  /** All of this for people: "wasm, 1 thread: the page is not cross-origin isolated". */
  readonly description: string;
}

/** Trains one model. The names of onnxruntime-web/training, and what it could not do. */
export interface TrainingSession {
  readonly trainingInputNames: readonly string[];
  /** What a training step is fed, with types and shapes; symbolic dimensions as the model names them. */
  readonly trainingInputs: readonly ValueInfo[];
  readonly trainingOutputNames: readonly string[];
  readonly evalInputNames: readonly string[];
  readonly evalOutputNames: readonly string[];
  /** Those of them that the loss compares with classes; undefined where that is not known. */
  readonly scoreNames?: readonly string[] | undefined;
  /** The provider that really runs the steps. */
  readonly provider: Provider;
  /** What that runs on, and why it is not another. */
  readonly execution: Execution;
  /** Things that the user should know: an export in evaluation mode, a questionable order in the chain. */
  readonly warnings: readonly string[];
  /** Names of what is trained, in the order of the contiguous parameters. */
  readonly trainableNames: readonly string[];
  readonly frozenNames: readonly string[];
  /** Steps made so far. */
  readonly stepCount: number;
  /** A number or a schedule; may be set at any time. */
  learningRate: Setting;
  /** Live settings of plugins and optimizer by `<id>.<option>`, those of a group by `<group>/<id>.<option>` and
   *  `<group>/learningRate`. */
  readonly settings: {
    readonly names: readonly string[];
    get(name: string): Setting;
    set(name: string, value: Setting): void;
  };
  /** What is noted in the checkpoint that was loaded last (in ORT: its property bag). */
  readonly properties: Readonly<Record<string, Property>>;
  /** Free text from the checkpoint that was loaded last. */
  readonly metadata: Readonly<Record<string, string>>;

  /** Forward, backward, chain, optimizer: one step in one run. */
  step(batch: Feeds, options?: RunOptions): Promise<StepResult>;
  /** K steps in one run (an ONNX Loop) where chain and provider allow; the same numbers as K calls of `step`. */
  steps(batches: readonly Feeds[] | Rows, options?: RunOptions): Promise<StepsResult>;

  /** Looks through a whole data set, [N, ...] by input name, before any of it is trained on: names, types, shapes, and
   *  the labels of losses that know their classes. A step looks at its own labels only.
   *  @throws GradwareError INVALID_DATA naming input, row and value */
  checkData(data: Feeds, options?: CheckDataOptions): Promise<void>;

  /** Forward and backward; gradients add up until `lazyResetGrad`. Returns loss and further outputs by name. */
  runTrainStep(feeds: Feeds, fetches?: Fetches | RunOptions, options?: RunOptions): Promise<Feeds>;
  /** Chain and optimizer on the gradients of `runTrainStep`. */
  runOptimizerStep(options?: RunOptions): Promise<void>;
  runEvalStep(feeds: Feeds, fetches?: Fetches | RunOptions, options?: RunOptions): Promise<Feeds>;
  lazyResetGrad(): Promise<void>;
  /** The gradients of `runTrainStep`, by parameter. */
  gradients(): Promise<ReadonlyMap<string, Tensor>>;

  getParametersSize(trainableOnly?: boolean): Promise<number>;
  getContiguousParameters(trainableOnly?: boolean): Promise<Tensor>;
  loadParametersBuffer(buffer: Uint8Array, trainableOnly?: boolean): Promise<void>;
  getParameter(name: string): Promise<Tensor>;
  setParameter(name: string, value: Tensor | TensorData): Promise<void>;

  /** The forward model with the trained weights, as bytes of an .onnx file. */
  exportModel(options?: ExportOptions): Promise<Uint8Array>;
  /** The weights by name, as bytes of a .safetensors file. */
  exportWeights(options?: ExportWeightsOptions): Promise<Uint8Array>;
  /** Loads weights by name, from a .safetensors file or the parameters of any checkpoint. Floats are converted to the
   *  type of the model; optimizer and step count stay.
   *  @throws GradwareError INVALID_CHECKPOINT for other shapes, and in strict mode for other names */
  importWeights(source: CheckpointState, options?: ImportWeightsOptions): Promise<ImportedWeights>;
  /** Writes a checkpoint: to a temporary file, synced, then renamed. */
  saveCheckpoint(path: string, options?: SaveOptions): Promise<void>;
  /** The bytes that `saveCheckpoint` writes. */
  checkpoint(options?: SaveOptions): Promise<Uint8Array>;
  loadCheckpoint(source: CheckpointState): Promise<void>;

  release(): Promise<void>;
}
