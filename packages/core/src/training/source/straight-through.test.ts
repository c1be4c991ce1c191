import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { GradwareError } from '../../errors.js';
import { tensorOf } from '../../graph/constants.js';
import { generateArtifacts, TrainingSession } from '../../node.js';
import { decodeModel, encodeModel } from '../../onnx/model.js';
import { sgd } from '../../optimizers/sgd.js';
import type { TrainingOptions } from '../api.js';

/** y = x · sign(w): weights of one bit. */
const binary = encodeModel({
  graph: {
    name: 'binary',
    nodes: [
      { name: 's', opType: 'Sign', domain: '', inputs: ['w'], outputs: ['s'], attributes: {} },
      {
        name: 'y',
        opType: 'MatMul',
        domain: '',
        inputs: ['x', 's'],
        outputs: ['y'],
        attributes: {},
      },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: [1, 3] }],
    outputs: [{ name: 'y', type: 'float32', shape: [1, 1] }],
    initializers: new Map([['w', tensorOf('float32', [0.25, -0.5, 1.5], [3, 1])]]),
    valueInfo: new Map(),
  },
  opsets: new Map([['', 17]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: 'test',
});

const open = (options: TrainingOptions) =>
  TrainingSession.create(binary, { loss: 'mse', optimizer: sgd(), learningRate: 1, ...options });

test('weights behind a Sign train by the straight-through estimate, as far as they are not certain', async () => {
  await expect(open({})).rejects.toThrow(/Nothing in this model trains/);
  const session = await open({ straightThrough: ['Sign'] });
  expect(session.trainableNames).toEqual(['w']);
  const x = new Tensor('float32', [1, 1, 1], [1, 3]);
  const target = new Tensor('float32', [0], [1, 1]);
  // y = 1 - 1 + 1, so the gradient of each sign is 2y = 2; that of the third weight ends beyond 1.
  await session.step({ x, target });
  expect(Array.from((await session.getParameter('w')).data as Float32Array)).toEqual([
    -1.75, -2.5, 1.5,
  ]);
  await session.release();
});

test('an op without such an estimate is refused', async () => {
  const options = { straightThrough: ['Relu'] } as unknown as TrainingOptions;
  await expect(open(options)).rejects.toThrow(/Relu has no straight-through estimate/);
});

test('artifacts take the straight-through estimate, too', async () => {
  const options = { loss: 'mse', requiresGrad: ['w'] };
  await expect(generateArtifacts(binary, options)).rejects.toThrow(GradwareError);
  const { trainModel } = await generateArtifacts(binary, { ...options, straightThrough: ['Sign'] });
  const { nodes } = decodeModel(trainModel).graph;
  expect(nodes.map(({ opType }) => opType)).toContain('LessOrEqual');
});
