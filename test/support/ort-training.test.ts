import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount } from '../../packages/core/src/graph/value.js';
import { artifactPath, haveArtifacts, readArtifact } from './artifacts.js';
import { createOracleSession, oracleTensor, runOracleNode } from './ort-training.js';

test('ORT 1.19.2 runs one of its training kernels alone', async () => {
  const [dx] = await runOracleNode({
    opType: 'ReluGrad',
    inputs: [tensorOf('float32', [1, 2, 3]), tensorOf('float32', [-1, 0, 4])],
    outputs: [{ type: 'float32' }],
  });
  expect(dx).toMatchObject({ dims: [3] });
  expect([...(dx?.data ?? [])]).toEqual([0, 0, 3]);
});

test.skipIf(!haveArtifacts('yalue-go/training_model.onnx'))(
  'it steps through a whole set of artifacts',
  async () => {
    const at = (name: string) => artifactPath(`yalue-go/${name}`);
    const recorded = JSON.parse(
      new TextDecoder().decode(readArtifact('yalue-go/oracle-ort-web-1.19.2.json')),
    ) as {
      readonly feeds: Readonly<Record<string, readonly number[]>>;
      readonly losses: readonly number[];
    };
    const session = await createOracleSession({
      checkpoint: at('checkpoint'),
      trainModel: at('training_model.onnx'),
      evalModel: at('eval_model.onnx'),
      optimizerModel: at('optimizer_model.onnx'),
    });
    let q = 0;
    const feeds: Record<string, Awaited<ReturnType<typeof oracleTensor>>> = {};
    for (const [name, dims] of Object.entries(recorded.feeds)) {
      q += 1;
      const values = Array.from({ length: elementCount(dims) }, (_, i) =>
        Math.sin(q * (i + 1) * 0.37),
      );
      feeds[name] = await oracleTensor(tensorOf('float32', values, dims));
    }
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const results = await session.runTrainStep(feeds);
      losses.push(Number(results[session.trainingOutputNames[0] ?? '']?.data[0]));
      await session.runOptimizerStep();
      await session.lazyResetGrad();
    }
    await session.release();
    expect(losses).toEqual(recorded.losses);
  },
);
