import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { toAttributes } from '../../packages/core/src/graph/value.js';
import { nodeRuntime, Tensor, TrainingSession } from '../../packages/core/src/node.js';
import type { Model, Node } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { generator } from '../support/compare.js';

const [batch, steps, width, heads, own, size] = [2, 4, 8, 4, 2, 16];

function node(opType: string, inputs: string, outputs: string, attributes = {}, domain = ''): Node {
  return {
    name: `${opType} ${outputs}`,
    opType,
    domain,
    inputs: inputs.split(' '),
    outputs: outputs.split(' '),
    attributes: toAttributes(attributes),
  };
}

const random = generator(9);
const past = ['batch', own, 'past', size] as const;

/** A decoder's attention as it is exported for generation: a cache goes in and comes out, and the lengths are computed
 *  from the mask. */
const model: Model = {
  graph: {
    name: 'decoder',
    nodes: [
      node('MatMul', 'x wq', 'q'),
      node('MatMul', 'x wk', 'k'),
      node('MatMul', 'x wv', 'v'),
      node('Cast', 'mask', 'ones', { to: 6 }),
      node('ReduceSum', 'ones axis', 'lengths', { keepdims: 0 }),
      node('Sub', 'lengths one', 'last'),
      node('Shape', 'mask', 'shape'),
      node('Gather', 'shape axis', 'long'),
      node('Cast', 'long', 'whole', { to: 6 }),
      node('Squeeze', 'whole', 'total'),
      node(
        'GroupQueryAttention',
        'q k v past_k past_v last total cos sin',
        'y present_k present_v',
        { num_heads: heads, kv_num_heads: own, do_rotary: 1 },
        'com.microsoft',
      ),
      node('MatMul', 'y wo', 'logits'),
    ],
    inputs: [
      { name: 'x', type: 'float32', shape: ['batch', 'steps', width] },
      { name: 'mask', type: 'int64', shape: ['batch', 'total'] },
      { name: 'past_k', type: 'float32', shape: past },
      { name: 'past_v', type: 'float32', shape: past },
    ],
    outputs: [
      { name: 'logits', type: 'float32', shape: ['batch', 'steps', 3] },
      { name: 'present_k', type: 'float32' },
      { name: 'present_v', type: 'float32' },
    ],
    initializers: new Map([
      ['wq', random(width, heads * size)],
      ['wk', random(width, own * size)],
      ['wv', random(width, own * size)],
      ['wo', random(heads * size, 3)],
      ['cos', random(8, size / 2)],
      ['sin', random(8, size / 2)],
      ['axis', tensorOf('int64', [1])],
      ['one', tensorOf('int32', [1])],
    ]),
    valueInfo: new Map(),
  },
  opsets: new Map([
    ['', 21],
    ['com.microsoft', 1],
  ]),
  irVersion: 10,
  functions: [],
  metadata: new Map(),
  producer: 'gradware-test',
};

function feeds(length: number) {
  const cache = [batch, own, length, size];
  const zeros = () => new Tensor('float32', new Float32Array(batch * own * length * size), cache);
  const places = batch * (steps + length);
  const mask = new BigInt64Array(places).fill(1n);
  const x = random(batch, steps, width).data as Float32Array;
  return {
    x: new Tensor('float32', x, [batch, steps, width]),
    mask: new Tensor('int64', mask, [batch, steps + length]),
    past_k: zeros(),
    past_v: zeros(),
  };
}

test('a decoder exported for generation trains on whole sequences', async () => {
  const session = await TrainingSession.create(encodeModel(model), {
    loss: 'mse',
    learningRate: 0.01,
  });
  expect(session.trainableNames).toEqual(['wq', 'wk', 'wv', 'wo']);
  const given = feeds(0);
  const target = new Tensor('float32', new Float32Array(batch * steps * 3), [batch, steps, 3]);
  const { losses } = await session.steps(Array(5).fill({ ...given, target }));
  expect(losses.at(-1)).toBeLessThan(losses[0] as number);

  const plain = await nodeRuntime.InferenceSession.create(await session.exportModel());
  const { logits } = await plain.run(given);
  const numbers = Array.from(logits?.data as Float32Array);
  const meanSquare = numbers.reduce((sum, y) => sum + y * y, 0) / numbers.length;
  const evaluated = await session.runEvalStep({ ...given, target });
  expect(Number(Object.values(evaluated)[0]?.data[0])).toBeCloseTo(meanSquare, 4);
  await plain.release();

  const behind = await session.steps(Array(5).fill({ ...feeds(2), target }));
  expect(behind.losses.at(-1)).toBeLessThan(behind.losses[0] as number);

  const mask = new Tensor('int64', new BigInt64Array(batch * 12).fill(1n), [batch, 12]);
  await expect(session.step({ ...feeds(2), mask, target })).rejects.toMatchObject({
    code: 'INVALID_MODEL',
    problem: expect.stringContaining('2 steps of the past, 4 new ones, and 12 in all'),
    remedy: expect.stringContaining('total_sequence_length'),
  });
  await session.release();
});
