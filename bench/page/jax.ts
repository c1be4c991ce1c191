import {
  defaultDevice,
  init,
  jit,
  lax,
  nn,
  numpy as np,
  tree,
  type Array as Value,
  valueAndGrad,
} from '@jax-js/jax';
import { batchesOf, learningRate, type Task, type Trainer, weightsOf } from './contender.js';

type Weights = Record<string, Value>;

/** What each weight is, with its fan in. */
const weights = {
  mlp: {
    w0: [[784, 512], 784],
    b0: [[512], 784],
    w1: [[512, 256], 512],
    b1: [[256], 512],
    w2: [[256, 10], 256],
    b2: [[10], 256],
  },
  cnn: {
    w0: [[32, 1, 3, 3], 9],
    b0: [[32, 1, 1], 9],
    w1: [[64, 32, 3, 3], 288],
    b1: [[64, 1, 1], 288],
    w2: [[1024, 10], 1024],
    b2: [[10], 1024],
  },
} as const satisfies Record<Task['id'], Record<string, readonly [readonly number[], number]>>;

const forward = {
  mlp: ({ w0, b0, w1, b1, w2, b2 }: Weights, x: Value) => {
    const first = nn.relu(np.dot(x, w0!).add(b0!));
    const second = nn.relu(np.dot(first, w1!).add(b1!));
    return np.dot(second, w2!).add(b2!);
  },
  cnn: ({ w0, b0, w1, b1, w2, b2 }: Weights, x: Value) => {
    const first = nn.relu(lax.conv(x, w0!, [1, 1], 'SAME').add(b0!));
    const second = nn.relu(lax.conv(first, w1!, [1, 1], 'SAME').add(b1!));
    const pooled = lax.reduceWindow(second, (window) => np.max(window), [2, 2], [2, 2]);
    return np.dot(pooled.reshape([-1, 1024]), w2!).add(b2!);
  },
} as const;

const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];

/** jax-js, the whole step with Adam in one `jit`. */
export async function jax(task: Task, device: 'wasm' | 'webgpu'): Promise<Trainer> {
  const ready = await init(device);
  if (!ready.includes(device)) throw new Error(`jax-js has no ${device} here`);
  defaultDevice(device);
  const draw = weightsOf(2);
  const shapes: Record<string, readonly [readonly number[], number]> = weights[task.id];
  const make = (fill: (dims: readonly number[], fanIn: number) => Float32Array): Weights =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, [dims, fanIn]]) => [
        name,
        np.array(fill(dims, fanIn)).reshape([...dims]),
      ]),
    );
  const zeros = (dims: readonly number[]) =>
    new Float32Array(dims.reduce((product, dim) => product * dim, 1));
  let state = { p: make(draw), m: make(zeros), v: make(zeros) };

  const lossOf = (p: Weights, x: Value, y: Value) =>
    np.mean(nn.logSoftmax(forward[task.id](p, x)).mul(y).sum(1)).neg();
  const step = jit((p: Weights, m: Weights, v: Weights, rate: Value, x: Value, y: Value) => {
    const [loss, gradients] = valueAndGrad(lossOf)(tree.ref(p), x, y) as unknown as [
      Value,
      Weights,
    ];
    const next: { p: Weights; m: Weights; v: Weights } = { p: {}, m: {}, v: {} };
    for (const name of Object.keys(shapes)) {
      const g = gradients[name] as Value;
      const mean = (m[name] as Value).mul(beta1).add(g.ref.mul(1 - beta1));
      const square = (v[name] as Value).mul(beta2).add(g.ref.mul(g).mul(1 - beta2));
      const update = mean.ref.mul(rate.ref).div(np.sqrt(square.ref).add(epsilon));
      next.p[name] = (p[name] as Value).sub(update);
      next.m[name] = mean;
      next.v[name] = square;
    }
    rate.dispose();
    return [loss, next.p, next.m, next.v];
  });

  const given = batchesOf(task).map(({ images, labels }) => ({
    x: np.array(images).reshape([task.batch, ...task.shape]),
    y: np
      .array(
        Float32Array.from({ length: task.batch * task.classes }, (_, i) =>
          Number(labels[Math.floor(i / task.classes)] === i % task.classes),
        ),
      )
      .reshape([task.batch, task.classes]),
  }));
  let count = 0;
  return {
    async train(steps) {
      let last: Value | undefined;
      for (let k = 0; k < steps; k++) {
        const batch = given[k % given.length];
        if (batch === undefined) continue;
        count += 1;
        const rate = (learningRate * Math.sqrt(1 - beta2 ** count)) / (1 - beta1 ** count);
        const made = step(state.p, state.m, state.v, np.array(rate), batch.x.ref, batch.y.ref);
        const [loss, p, m, v] = made as unknown as [Value, Weights, Weights, Weights];
        last?.dispose();
        last = loss;
        state = { p, m, v };
      }
      return (await last?.data())?.[0] ?? Number.NaN;
    },
  };
}
