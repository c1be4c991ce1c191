import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import { TrainingSession } from '../../node.js';
import type { Model, Node } from '../../onnx/ir.js';
import { decodeModel, encodeModel } from '../../onnx/model.js';
import { sgd } from '../../optimizers/sgd.js';
import type { TrainingOptions } from '../api.js';

const momentum = 0.8;

function batchNorm(
  input: string,
  output: string,
  training: boolean,
  more: readonly string[] = [],
): Node {
  return {
    name: output,
    opType: 'BatchNormalization',
    domain: '',
    inputs: [input, 'scale', 'bias', 'mean', 'variance'],
    outputs: [output, ...more],
    attributes: {
      momentum: { type: 'float', value: momentum },
      ...(training && { training_mode: { type: 'int', value: 1 } }),
    },
  };
}

function modelOf(nodes: readonly Node[], opset = 17): Uint8Array {
  const model: Model = {
    graph: {
      name: 'normalized',
      nodes,
      inputs: [{ name: 'x', type: 'float32', shape: ['n', 2] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['n', 2] }],
      initializers: new Map([
        ['scale', tensorOf('float32', [1, 2])],
        ['bias', tensorOf('float32', [0.5, -0.5])],
        ['mean', tensorOf('float32', [1, 2])],
        ['variance', tensorOf('float32', [3, 4])],
      ]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', opset]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
  return encodeModel(model);
}

const rows = [1, -2, 4, 0, 0.5, 3, -1.5, 1];
const x = new Tensor('float32', Float32Array.from(rows), [4, 2]);
const batch = { x, target: new Tensor('float32', new Float32Array(8), [4, 2]) };
const column = (c: number) => rows.filter((_, i) => i % 2 === c);
const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b) / values.length;
const varianceOf = (values: readonly number[]) =>
  meanOf(values.map((v) => (v - meanOf(values)) ** 2));
/** What running statistics become in one step. */
const followed = (start: readonly number[], now: (values: readonly number[]) => number) =>
  start.map((s, c) => momentum * s + (1 - momentum) * now(column(c)));

const open = (bytes: Uint8Array, options: TrainingOptions = {}) =>
  TrainingSession.create(bytes, { loss: 'mse', optimizer: sgd(), learningRate: 0.1, ...options });
const numbers = async (session: TrainingSession, name: string) =>
  Array.from((await session.getParameter(name)).data as Float32Array);
const close = (found: readonly number[], wanted: readonly number[]) => {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 5);
};

test('running statistics follow the batches, over n as ONNX has it', async () => {
  const session = await open(modelOf([batchNorm('x', 'y', true)]));
  expect(session.trainableNames).toEqual(['scale', 'bias']);
  await session.step(batch);
  close(await numbers(session, 'mean'), followed([1, 2], meanOf));
  close(await numbers(session, 'variance'), followed([3, 4], varianceOf));
  await session.release();
});

test('evaluation and export use the statistics that were trained', async () => {
  const session = await open(modelOf([batchNorm('x', 'y', true, ['rm', 'rv'])]));
  await session.steps([batch, batch, batch]);
  const [scale, bias, mean, variance] = await Promise.all(
    ['scale', 'bias', 'mean', 'variance'].map((name) => numbers(session, name)),
  );
  const wanted = rows.map((value, i) => {
    const c = i % 2;
    const deviation = Math.sqrt((variance?.[c] ?? 0) + 1e-5);
    return ((value - (mean?.[c] ?? 0)) / deviation) * (scale?.[c] ?? 0) + (bias?.[c] ?? 0);
  });
  const { y } = await session.runEvalStep(batch);
  close(Array.from(y?.data as Float32Array), wanted);
  const exported = await session.exportModel();
  await session.release();
  expect(decodeModel(exported).graph.nodes[0]?.outputs).toEqual(['y']);
  const stock = await InferenceSession.create(exported);
  const results = await stock.run({ x });
  close(Array.from(results.y?.data as Float32Array), wanted);
  await stock.release();
});

test('a model exported for evaluation says so, and trains when it is told to', async () => {
  const bytes = modelOf([batchNorm('x', 'y', false)]);
  const silent = await open(bytes);
  expect(silent.warnings.join()).toMatch(/batchNorm: 'train'/);
  await silent.step(batch);
  close(await numbers(silent, 'mean'), [1, 2]);
  await silent.release();
  const told = await open(bytes, { batchNorm: 'train' });
  expect(told.warnings).toEqual([]);
  await told.step(batch);
  close(await numbers(told, 'mean'), followed([1, 2], meanOf));
  await told.release();
});

test('frozen batch norms keep their statistics and still train scale and bias', async () => {
  const session = await open(modelOf([batchNorm('x', 'y', true, ['rm', 'rv'])]), {
    batchNorm: 'frozen',
  });
  await session.step(batch);
  close(await numbers(session, 'mean'), [1, 2]);
  close(await numbers(session, 'variance'), [3, 4]);
  expect(await numbers(session, 'scale')).not.toEqual([1, 2]);
  await session.release();
});

test('a layer that runs twice follows both of its batches', async () => {
  const nodes = [batchNorm('x', 'a', true), batchNorm('x', 'b', true)];
  const sum = {
    name: 's',
    opType: 'Add',
    domain: '',
    inputs: ['a', 'b'],
    outputs: ['y'],
    attributes: {},
  };
  const session = await open(modelOf([...nodes, sum]));
  await session.step(batch);
  close(await numbers(session, 'mean'), followed(followed([1, 2], meanOf), meanOf));
  const { y } = await session.runEvalStep(batch);
  expect(y?.dims).toEqual([4, 2]);
  await session.release();
});

test('models of old opsets say by their outputs that they train', async () => {
  const old = modelOf([batchNorm('x', 'y', false, ['rm', 'rv', 'sm', 'sv'])], 9);
  const session = await open(old);
  await session.step(batch);
  close(await numbers(session, 'mean'), followed([1, 2], meanOf));
  const exported = decodeModel(await session.exportModel());
  expect(exported.graph.nodes[0]?.outputs).toEqual(['y']);
  await session.release();
});

test('any other mode is refused', async () => {
  const options = { batchNorm: 'off' } as unknown as TrainingOptions;
  await expect(open(modelOf([batchNorm('x', 'y', true)]), options)).rejects.toThrow(
    /'train' or 'frozen'/,
  );
});
