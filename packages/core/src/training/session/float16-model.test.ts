import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import { Tensor, TrainingSession } from '../../node.js';
import type { Model } from '../../onnx/ir.js';
import { encodeModel } from '../../onnx/model.js';
import { evaluate } from '../loop/evaluation.js';

const model: Model = {
  graph: {
    name: 'half',
    nodes: [
      {
        name: 'y',
        opType: 'MatMul',
        domain: '',
        inputs: ['x', 'w'],
        outputs: ['y'],
        attributes: {},
      },
    ],
    inputs: [{ name: 'x', type: 'float16', shape: ['batch', 2] }],
    outputs: [{ name: 'y', type: 'float16', shape: ['batch', 2] }],
    initializers: new Map([['w', tensorOf('float16', [1, -1, -1, 1], [2, 2])]]),
    valueInfo: new Map(),
  },
  opsets: new Map([['', 17]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: 'gradware-test',
};

test('losses and accuracy of models in float16 are numbers, not patterns of bits', async () => {
  const session = await TrainingSession.create(encodeModel(model), { learningRate: 0 });
  // One is 0x3c00, two 0x4000: the scores are [1, -1] and [-2, 2].
  const x = new Tensor('float16', Uint16Array.of(0x3c00, 0, 0, 0x4000), [2, 2]);
  const batch = { x, labels: new Tensor('int64', BigInt64Array.of(0n, 0n), [2]) };
  const wanted = (Math.log1p(Math.exp(-2)) + Math.log1p(Math.exp(4))) / 2;
  expect((await session.step(batch)).loss).toBeCloseTo(wanted, 2);
  const { losses } = await session.steps([batch, batch]);
  for (const loss of losses) expect(loss).toBeCloseTo(wanted, 2);
  const found = await evaluate(session, batch);
  expect(found.loss).toBeCloseTo(wanted, 2);
  expect(found.accuracy).toBe(0.5);
});
