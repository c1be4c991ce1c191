import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Attributes } from '../../packages/core/src/graph/value.js';
import type { DataType, TensorData, TypedArray } from '../../packages/core/src/onnx/ir.js';
import { encodeNode } from './one-node.js';

/** A tensor of ORT's JavaScript API; int64 data is a BigInt64Array, bool data a Uint8Array. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: TypedArray | readonly string[];
}

export type Feeds = Readonly<Record<string, OrtTensor>>;

/** Outputs to give back: names, or the keys of an object. */
type Fetches = readonly string[] | Readonly<Record<string, unknown>>;

export interface OrtInferenceSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Feeds): Promise<Feeds>;
  release(): Promise<void>;
}

/** The session of onnxruntime-web/training, as its last release (1.19.2) had it. */
export interface OrtTrainingSession {
  readonly trainingInputNames: readonly string[];
  readonly trainingOutputNames: readonly string[];
  readonly evalInputNames: readonly string[];
  readonly evalOutputNames: readonly string[];
  runTrainStep(feeds: Feeds, fetches?: Fetches): Promise<Feeds>;
  runEvalStep(feeds: Feeds, fetches?: Fetches): Promise<Feeds>;
  runOptimizerStep(): Promise<void>;
  lazyResetGrad(): Promise<void>;
  getParametersSize(trainableOnly: boolean): Promise<number>;
  loadParametersBuffer(bytes: Uint8Array, trainableOnly: boolean): Promise<void>;
  getContiguousParameters(trainableOnly: boolean): Promise<OrtTensor>;
  release(): Promise<void>;
}

/** Artifacts as bytes or as paths. */
export interface OracleArtifacts {
  readonly checkpoint: Uint8Array | string;
  readonly trainModel: Uint8Array | string;
  readonly evalModel?: Uint8Array | string;
  readonly optimizerModel?: Uint8Array | string;
}

interface OrtTraining {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: object): Promise<OrtInferenceSession>;
  };
  readonly TrainingSession: {
    create(artifacts: object, options?: object): Promise<OrtTrainingSession>;
  };
  readonly Tensor: new (
    type: string,
    data: TypedArray | readonly string[],
    dims: readonly number[],
  ) => OrtTensor;
  readonly env: {
    logLevel?: string;
    readonly wasm: { numThreads?: number; wasmPaths?: { wasm: string; mjs: string } };
  };
}

let loaded: Promise<OrtTraining> | undefined;

/** ORT's own training runtime, in Node. Its exports map closes that door, so the file is imported by its URL. */
export function loadOrtTraining(): Promise<OrtTraining> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<OrtTraining> {
  const entry = createRequire(import.meta.url).resolve('onnxruntime-training-web');
  const url = (file: string) => pathToFileURL(join(dirname(entry), file)).href;
  const ort = (await import(/* @vite-ignore */ url('ort.training.wasm.mjs'))) as OrtTraining;
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = {
    wasm: url('ort-training-wasm-simd-threaded.wasm'),
    mjs: url('ort-training-wasm-simd-threaded.mjs'),
  };
  return ort;
}

/** A session of ORT's training runtime over artifacts, to be stepped side by side with ours. */
export async function createOracleSession(artifacts: OracleArtifacts): Promise<OrtTrainingSession> {
  const { TrainingSession } = await loadOrtTraining();
  const { evalModel, optimizerModel } = artifacts;
  return TrainingSession.create({
    checkpointState: await bytesOf(artifacts.checkpoint),
    trainModel: await bytesOf(artifacts.trainModel),
    ...(evalModel === undefined ? {} : { evalModel: await bytesOf(evalModel) }),
    ...(optimizerModel === undefined ? {} : { optimizerModel: await bytesOf(optimizerModel) }),
  });
}

async function bytesOf(source: Uint8Array | string): Promise<Uint8Array> {
  return typeof source === 'string' ? new Uint8Array(await readFile(source)) : source;
}

/** A tensor of that runtime from a tensor of ours. */
export async function oracleTensor({ type, data, dims }: TensorData): Promise<OrtTensor> {
  const { Tensor } = await loadOrtTraining();
  return new Tensor(type, data, dims);
}

export interface OracleNode {
  readonly opType: string;
  readonly domain?: string;
  /** undefined leaves an optional input out. */
  readonly inputs: readonly (TensorData | undefined)[];
  readonly attributes?: Attributes;
  /** Types of the wanted outputs, with the shape where the kernel reads it from the model; undefined leaves one out. */
  readonly outputs: readonly ({ type: DataType; shape?: readonly number[] } | undefined)[];
  readonly opset?: number;
  /** Inputs that become constants of the model. */
  readonly constants?: readonly number[];
}

/** Runs one node by ORT 1.19.2's own kernel. @throws what the runtime throws; a bare number is a C++ exception. */
export async function runOracleNode(
  node: OracleNode,
): Promise<readonly (TensorData | undefined)[]> {
  const { InferenceSession } = await loadOrtTraining();
  const session = await InferenceSession.create(encodeNode(node), {
    graphOptimizationLevel: 'disabled',
  });
  const feeds: Record<string, OrtTensor> = {};
  for (const [i, input] of node.inputs.entries())
    if (input !== undefined && session.inputNames.includes(`x${i}`))
      feeds[`x${i}`] = await oracleTensor(input);
  const results = await session.run(feeds).catch(giveUpAfterTrap);
  await session.release();
  return node.outputs.map((output, i) => {
    const result = results[`y${i}`];
    if (output === undefined || result === undefined) return undefined;
    return { type: output.type, dims: [...result.dims], data: result.data };
  });
}

/** A trap inside WebAssembly leaves the runtime unusable: the next call would never return. */
function giveUpAfterTrap(error: unknown): never {
  if (error instanceof Error && error.name === 'RuntimeError') {
    loaded = Promise.reject(
      new Error('ORT 1.19.2 crashed in a node before this', { cause: error }),
    );
    loaded.catch(() => undefined);
  }
  throw error;
}
