import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { createBuilder } from '../graph/builder.js';
import { modelOf } from '../graph/model.js';
import { encodeModel } from '../onnx/model.js';
import { biasCorrections } from './bias-correction.js';

const betas = [0.9, 0.999, 0.999999, 0];
const counts = [1, 2, 3, 10, 127, 128, 129, 1000, 4096, 17_000, 100_000, 5_000_000, 2 ** 31 - 1];

test('1 - β^t is right to the last digits of float32, for every t', async () => {
  const builder = createBuilder();
  const count = builder.declare({ name: 'count', type: 'int32', shape: [] });
  const results = biasCorrections(builder.op, count, betas);
  const bytes = [...builder.initializers.values()].reduce((sum, { data }) => sum + data.length, 0);
  const session = await ort.InferenceSession.create(
    encodeModel(
      modelOf({
        name: 'correction',
        nodes: builder.nodes,
        inputs: [count],
        outputs: results,
        initializers: builder.initializers,
        valueInfo: new Map(),
      }),
    ),
  );
  for (const t of counts) {
    const feeds = { count: new ort.Tensor('int32', Int32Array.of(t), []) };
    const found = await session.run(feeds);
    betas.forEach((beta, i) => {
      const exact = beta === 0 ? 1 : -Math.expm1(t * Math.log(beta));
      const value = Number(found[results[i]?.name ?? '']?.data[0]);
      expect(Math.abs(value / exact - 1), `1 - ${beta}^${t}`).toBeLessThan(2e-7);
    });
  }
  await session.release();
  expect(bytes).toBeLessThan(60_000);
});
