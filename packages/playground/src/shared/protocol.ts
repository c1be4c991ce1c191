import type { Catalogue, OptionValue, PartChoice, PluginChoice } from './catalogue.js';

export type ProviderChoice = 'auto' | 'webgpu' | 'wasm';

export type BuiltInModel = 'cnn' | 'mlp';

/** A file under its name. */
export interface NamedFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Everything that decides a training run, but for files of one's own. */
export interface RunConfig {
  /** `own`: what was dropped in. */
  readonly model: BuiltInModel | 'own';
  readonly data: 'digits' | 'own';
  readonly provider: ProviderChoice;
  readonly optimizer: PartChoice;
  readonly learningRate: OptionValue;
  readonly chain: readonly PluginChoice[];
  readonly batchSize: number;
  readonly epochs: number;
  readonly seed: number;
  /** Whether gradients are kept for the histogram. */
  readonly watch: boolean;
}

/** Whether webgpu and threads can be had here, and why not. */
export interface Environment {
  readonly threads: number;
  readonly isolated: boolean;
  readonly gpu: GpuReport;
}

export type GpuReport =
  | { readonly usable: true; readonly name: string; readonly software: boolean }
  | { readonly usable: false; readonly reason: string };

/** What `open` made of a configuration. */
export interface OpenedRun {
  readonly provider: 'webgpu' | 'wasm';
  /** Why this provider. */
  readonly why: string;
  readonly modelName: string;
  readonly dataName: string;
  readonly parameters: readonly { readonly name: string; readonly size: number }[];
  readonly inputs: readonly string[];
  readonly trainExamples: number;
  readonly testExamples: number;
  /** By key of the choice: the id that its settings and metrics begin with. */
  readonly ids: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
  /** Whether a drawing can be classified: an image of 8 x 8, or its 64 pixels. */
  readonly draws: boolean;
  readonly classes: number;
  readonly step: number;
  readonly epoch: number;
}

/** Curves so far, one entry a step or an epoch. */
export interface History {
  readonly steps: readonly number[];
  readonly losses: readonly number[];
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly epochs: readonly EpochPoint[];
}

export interface EpochPoint {
  readonly epoch: number;
  readonly step: number;
  readonly loss: number;
  readonly testLoss: number;
  readonly accuracy: number | undefined;
}

/** Counts of gradient magnitudes, by powers of ten: a fifth of one in each bin. */
export interface Histogram {
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Elements that are exactly zero. */
  readonly zerosBefore: number;
  readonly zerosAfter: number;
}

export interface SavedRun {
  readonly config: RunConfig;
  readonly opened: OpenedRun;
  readonly history: History;
  readonly savedAt: number;
}

export interface Prediction {
  /** One probability a class. */
  readonly probabilities: readonly number[];
}

export interface Example {
  readonly pixels: readonly number[];
  readonly label: number;
  readonly index: number;
}

/** What was wrong, where, and what to do. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly remedy: string | undefined;
}

/** The code of data that does not fit the model. */
export const misfit = 'INVALID_DATA';

/** What the page asks of the worker. */
export interface Requests {
  start(): Promise<{ catalogue: Catalogue; environment: Environment; storage: StorageReport }>;
  /** Makes the run be as configured: live settings change while it trains; anything else opens a new session that goes on
   *  from the weights that there are. `fresh` starts from the beginning. */
  configure(config: RunConfig, fresh: boolean): Promise<OpenedRun>;
  train(): Promise<void>;
  pause(): Promise<void>;
  /** Which parameter the histogram is of; all where undefined. */
  look(parameter: string | undefined): Promise<void>;
  predict(pixels: readonly number[]): Promise<Prediction>;
  example(index: number): Promise<Example>;
  /** Takes files of one's own: says what they are. */
  take(
    files: readonly NamedFile[],
  ): Promise<{ model: string | undefined; data: string | undefined }>;
  save(): Promise<number>;
  /** The run that was saved last, opened again; undefined where there is none. */
  restore(): Promise<SavedRun | undefined>;
  forget(): Promise<void>;
  exportModel(): Promise<NamedFile>;
  exportCheckpoint(): Promise<NamedFile>;
}

export interface StorageReport {
  /** Why runs cannot be kept here; undefined where they can. */
  readonly refused: string | undefined;
  readonly saved: boolean;
}

export type WorkerEvent =
  | {
      readonly type: 'steps';
      readonly step: number;
      readonly epoch: number;
      readonly losses: readonly number[];
      readonly before: readonly number[];
      readonly after: readonly number[];
      /** The last of each plugin metric. */
      readonly metrics: Readonly<Record<string, number>>;
      readonly stepMs: number;
    }
  | { readonly type: 'epoch'; readonly point: EpochPoint }
  | { readonly type: 'histogram'; readonly histogram: Histogram }
  | { readonly type: 'running'; readonly running: boolean; readonly finished: boolean }
  | { readonly type: 'saved'; readonly at: number }
  /** The run went back some steps, and to another provider. */
  | { readonly type: 'reopened'; readonly opened: OpenedRun; readonly history: History }
  | { readonly type: 'notice'; readonly tone: 'info' | 'warning' | 'error'; readonly text: string }
  | { readonly type: 'problem'; readonly problem: Problem };

/** One message to the worker, and what comes back. */
export interface Call {
  readonly id: number;
  readonly method: keyof Requests;
  readonly given: readonly unknown[];
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly problem: Problem };

export type FromWorker = Answer | { readonly event: WorkerEvent };
