/** A model and what it is fed; the same for all. */
export interface Task {
  readonly id: 'mlp' | 'cnn';
  /** Of one example, without the batch axis. */
  readonly shape: readonly number[];
  readonly batch: number;
  readonly classes: number;
  /** The file of the model, for who reads ONNX. */
  readonly model: string;
  /** Threads that may be used. */
  readonly threads: number;
}

/** A trainer of one model, warmed up by its first steps. */
export interface Trainer {
  /** Makes some steps and waits until they are done. @returns the last loss */
  train(steps: number): Promise<number>;
}

export interface Batch {
  readonly images: Float32Array<ArrayBuffer>;
  readonly labels: Int32Array<ArrayBuffer>;
}

/** Batches in the data set that is trained on over and over. */
export const batchCount = 20;
/** So small that the data is never learnt by heart. */
export const learningRate = 1e-4;

/** Numbers in [0, 1), the same in every page. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Noise with random labels. */
export function batchesOf({ shape, batch, classes }: Task): readonly Batch[] {
  const random = createRandom(1);
  const size = batch * shape.reduce((product, dim) => product * dim, 1);
  return Array.from({ length: batchCount }, () => ({
    images: Float32Array.from({ length: size }, random),
    labels: Int32Array.from({ length: batch }, () => Math.floor(random() * classes)),
  }));
}

/** Uniform in ±√(1 / fan in), as PyTorch starts. */
export function weightsOf(seed: number): (dims: readonly number[], fanIn: number) => Float32Array {
  const random = createRandom(seed);
  return (dims, fanIn) => {
    const bound = Math.sqrt(1 / fanIn);
    const size = dims.reduce((product, dim) => product * dim, 1);
    return Float32Array.from({ length: size }, () => (2 * random() - 1) * bound);
  };
}
