import '@tensorflow/tfjs-core/dist/register_all_gradients.js';
import * as tf from '@tensorflow/tfjs-core';
import { batchesOf, learningRate, type Task, type Trainer, weightsOf } from './contender.js';

export type TensorFlowBackend = 'cpu' | 'wasm' | 'webgl' | 'webgpu';

const loaders: Readonly<Record<TensorFlowBackend, (threads: number) => Promise<unknown>>> = {
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  wasm: async (threads) => {
    const backend = await import('@tensorflow/tfjs-backend-wasm');
    backend.setWasmPaths(new URL('tfjs-wasm/', location.href).href);
    backend.setThreadsCount(threads);
  },
};

type Draw = ReturnType<typeof weightsOf>;

function variable(draw: Draw, dims: number[], fanIn: number): tf.Variable {
  return tf.variable(tf.tensor(draw(dims, fanIn), dims));
}

type Network = (x: tf.Tensor) => tf.Tensor2D;

const networks: Readonly<Record<Task['id'], (draw: Draw) => Network>> = {
  mlp: (draw) => {
    const layers = [784, 512, 256].map((width, i) => {
      const next = [512, 256, 10][i] ?? 10;
      return { w: variable(draw, [width, next], width), b: variable(draw, [next], width) };
    });
    return (x) =>
      layers.reduce((a, { w, b }, i) => {
        const [weight, bias] = [w as unknown as tf.Tensor2D, b as unknown as tf.Tensor1D];
        const activation = i < 2 ? 'relu' : 'linear';
        return tf.fused.matMul({ a, b: weight, bias, activation }) as tf.Tensor2D;
      }, x as tf.Tensor2D);
  },
  cnn: (draw) => {
    const [w0, b0] = [variable(draw, [3, 3, 1, 32], 9), variable(draw, [32], 9)];
    const [w1, b1] = [variable(draw, [3, 3, 32, 64], 288), variable(draw, [64], 288)];
    const [w2, b2] = [variable(draw, [1024, 10], 1024), variable(draw, [10], 1024)];
    const conv = (x: tf.Tensor4D, filter: tf.Variable, bias: tf.Variable) =>
      tf.fused.conv2d({
        ...{ x, filter: filter as unknown as tf.Tensor4D, bias, strides: 1, pad: 'same' },
        activation: 'relu',
      }) as tf.Tensor4D;
    return (x) => {
      const first = conv(x as tf.Tensor4D, w0, b0);
      const second = conv(first, w1, b1);
      const pooled = tf.reshape(tf.maxPool(second, 2, 2, 'valid'), [-1, 1024]) as tf.Tensor2D;
      return tf.fused.matMul({
        ...{ a: pooled, b: w2 as unknown as tf.Tensor2D, bias: b2 },
      }) as tf.Tensor2D;
    };
  },
};

/** TensorFlow.js with its own Adam; images have their channels last, as it wants them.
 *  @throws for a backend that lacks a kernel */
export async function tensorflow(task: Task, backend: TensorFlowBackend): Promise<Trainer> {
  await loaders[backend](task.threads);
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js has no ${backend} here`);
  await tf.ready();
  const network = networks[task.id](weightsOf(2));
  const optimizer = tf.train.adam(learningRate);
  const shape = task.id === 'cnn' ? [8, 8, 1] : [784];
  const given = batchesOf(task).map(({ images, labels }) => ({
    x: tf.tensor(images, [task.batch, ...shape]),
    y: tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), task.classes), 'float32'),
  }));
  return {
    async train(steps) {
      let last: tf.Scalar | null = null;
      for (let k = 0; k < steps; k++) {
        const batch = given[k % given.length];
        if (batch === undefined) continue;
        last?.dispose();
        last = optimizer.minimize(
          () => tf.losses.softmaxCrossEntropy(batch.y, network(batch.x)) as tf.Scalar,
          true,
        );
      }
      const value = (await last?.data())?.[0] ?? Number.NaN;
      last?.dispose();
      return value;
    },
  };
}
