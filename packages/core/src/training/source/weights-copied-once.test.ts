import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { TrainingSession } from '../../node.js';
import { encodeModel } from '../../onnx/model.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes in typed arrays that somebody still holds. */
async function held(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise(setImmediate);
  }
  return process.memoryUsage().arrayBuffers;
}

const [rows, columns] = [2048, 2048];
const weights = rows * columns * Float32Array.BYTES_PER_ELEMENT;

/** A product with a matrix of 16 MiB. */
function product(): Uint8Array {
  const weight = new Float32Array(rows * columns).fill(1 / rows);
  return encodeModel({
    graph: {
      name: 'product',
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
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', rows] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['batch', columns] }],
      initializers: new Map([['w', { type: 'float32', dims: [rows, columns], data: weight }]]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  });
}

test('an open session holds the weights at most once beside the file', async () => {
  const bytes = product();
  const before = await held();
  const session = await TrainingSession.create(bytes, { loss: 'mse' });
  expect((await held()) - before).toBeLessThan(1.25 * weights);
  await session.release();
});

test('two steps hold nothing but the weights and the moments, however often they are made', async () => {
  const bytes = product();
  const before = await held();
  const session = await TrainingSession.create(bytes, { loss: 'mse' });
  const [input = '', target = ''] = session.trainingInputNames;
  const batch = {
    [input]: new Tensor('float32', new Float32Array(rows), [1, rows]),
    [target]: new Tensor('float32', new Float32Array(columns), [1, columns]),
  };
  for (let i = 0; i < 4; i++) await session.step(batch);
  // Old and new state of one step are both there while it is taken over.
  expect((await held()) - before).toBeLessThan(4.5 * weights);
  // The file is still held, so it counts on neither side.
  expect(bytes.byteLength).toBeGreaterThan(weights);
  await session.release();
});
