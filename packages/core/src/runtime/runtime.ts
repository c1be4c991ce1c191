import type {
  InferenceSession,
  InferenceSessionFactory,
  TensorConstructor,
} from 'onnxruntime-common';

/** A stock ONNX Runtime for JavaScript, and the files around it. The front doors bind one. */
export interface Runtime {
  readonly name: 'onnxruntime-node' | 'onnxruntime-web' | 'onnxruntime-web/wasm';
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
  readonly defaultProvider: 'cpu' | 'wasm';
  readonly files: FileAccess;
  /** Bytes that can still be allocated; undefined where nobody knows. */
  availableMemory(): number | undefined;
  /** Why a provider cannot work, where that shows before ONNX Runtime is asked. */
  missing?(provider: string): string | undefined;
  /** What a provider runs on, once it has opened a session. */
  device(provider: string): Promise<Device>;
}

/** The device behind an execution provider, as far as it can be known. */
export interface Device {
  /** Threads of the processor that work on one step. */
  readonly threads?: number | undefined;
  /** The GPU, as it calls itself. */
  readonly adapter?: string | undefined;
  /** Whether the processor only imitates that GPU. */
  readonly isEmulated?: boolean | undefined;
  /** Bytes that one tensor may have. */
  readonly largestTensor?: number | undefined;
  /** How many channels its convolutions take at a time, where ONNX Runtime has kernels for channels in blocks. */
  readonly channelBlock?: number | undefined;
  /** Why it is not more. */
  readonly note?: string | undefined;
}

/** How paths (on the web: URLs) are read and written. */
export interface FileAccess {
  read(path: string | URL): Promise<Uint8Array>;
  /** Reads a file that a model names, beside it and never outside its folder. */
  readBeside(path: string | URL, location: string): Uint8Array | undefined;
  isFolder(path: string | URL): Promise<boolean>;
  list(folder: string | URL): Promise<readonly string[]>;
  join(folder: string | URL, file: string): string;
  /** Replaces a file: all of it, or nothing. */
  writeAtomic(path: string, bytes: Uint8Array): Promise<void>;
}

export type SessionOptions = InferenceSession.SessionOptions;
