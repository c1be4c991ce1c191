import {
  type ArtifactFiles,
  convertArtifacts,
  generateArtifacts,
  Tensor,
  TrainingSession,
} from '@gradware/core/node';
import { describe, expect, test } from 'vitest';
import { readOrtCheckpoint } from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { elementCount } from '../../packages/core/src/onnx/element-types.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { makeTensor } from '../../packages/core/src/onnx/tensor.js';
import { artifactPath, haveArtifacts, readArtifact } from '../support/artifacts.js';
import { models } from '../support/forward-models.js';
import { createOracleSession, oracleTensor } from '../support/ort-training.js';

type Feed = readonly [
  type: 'float32' | 'int32' | 'int64',
  dims: readonly number[],
  classes?: number,
];

const tensorOf = ([type, dims, classes = 1]: Feed) =>
  makeTensor(
    type,
    dims,
    Array.from({ length: elementCount(dims) }, (_, i) =>
      type === 'float32' ? Math.sin((i + 1) * 0.37) : i % classes,
    ),
  );

/** Five losses by ORT's own runtime and by ours, from the converted files and from the original ones. */
async function compare(given: string | ArtifactFiles, feeds: Readonly<Record<string, Feed>>) {
  const converted = await convertArtifacts(given);
  expect([...converted.files.keys()]).toContain('training_model.onnx');
  const theirs = await createOracleSession({
    checkpoint: converted.checkpointState,
    trainModel: converted.trainModel,
    ...(converted.optimizerModel && { optimizerModel: converted.optimizerModel }),
    ...(converted.evalModel && { evalModel: converted.evalModel }),
  });
  const oracleFeeds: Record<string, Awaited<ReturnType<typeof oracleTensor>>> = {};
  const ourFeeds: Record<string, Tensor> = {};
  for (const [name, feed] of Object.entries(feeds)) {
    const tensor = tensorOf(feed);
    oracleFeeds[name] = await oracleTensor(tensor);
    ourFeeds[name] = new Tensor(tensor.type as 'float32', tensor.data as Float32Array, tensor.dims);
  }
  const ours = await TrainingSession.create(given);
  const again = await TrainingSession.create(converted);
  for (let step = 0; step < 5; step++) {
    const results = await theirs.runTrainStep(oracleFeeds);
    const wanted = Number(results[theirs.trainingOutputNames[0] ?? '']?.data[0]);
    await theirs.runOptimizerStep();
    await theirs.lazyResetGrad();
    for (const session of [ours, again]) {
      const { loss } = await session.step(ourFeeds);
      expect(Math.abs(loss - wanted) / wanted).toBeLessThan(1e-4);
    }
  }
  for (const session of [theirs, ours, again]) await session.release();
}

const old = (name: string) => artifactPath(`ort-testdata-old/${name}`);

describe.skipIf(
  !haveArtifacts('ort-testdata-old', 'ort-testdata-ort-format', 'carzh-web-mnist', 'yalue-go'),
)("ORT's own runtime trains what is made of older and other containers", () => {
  test('.ort models', () =>
    compare(artifactPath('ort-testdata-ort-format'), {
      input: ['float32', [2, 10]],
      labels: ['int64', [2], 5],
    }));

  test('a checkpoint of version 1', () =>
    compare(artifactPath('carzh-web-mnist'), {
      input: ['float32', [8, 784]],
      labels: ['int64', [8], 10],
    }));

  test('a convolution, concatenation and frozen constants', () =>
    compare(artifactPath('yalue-go'), {
      input: ['float32', [10, 1, 4]],
      target: ['float32', [10, 1, 2]],
    }));

  test.each([
    ['gradient_graph.onnx', 'optimizer_graph.onnx', 'input1', 'target'],
    ['training_model_v1accum.onnx', 'adamw_925.onnx', 'input-0', 'labels'],
  ])('.pbseq, %s and %s', (trainModel, optimizerModel, input, labels) =>
    compare(
      {
        checkpointState: old('paramtrain_tensors.pbseq'),
        trainModel: old(trainModel),
        optimizerModel: old(optimizerModel),
      },
      { [input]: ['float32', [8, 784]], [labels]: ['int32', [8], 10] },
    ),
  );

  test('a nominal checkpoint stays one', async () => {
    const folder = 'ort-testdata-mnist';
    const converted = await convertArtifacts({
      checkpointState: artifactPath(`${folder}/nominal_checkpoint`),
      trainModel: artifactPath(`${folder}/training_model.onnx`),
    });
    expect([...converted.files.keys()]).toEqual(['training_model.onnx', 'nominal_checkpoint']);
    expect(readOrtCheckpoint(converted.checkpointState).nominal).toBe(true);
  });

  test('a checkpoint of another model is refused', async () => {
    const converted = convertArtifacts({
      checkpointState: readArtifact('yalue-go/checkpoint'),
      trainModel: artifactPath('carzh-web-mnist/training_model.onnx'),
    });
    await expect(converted).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
  });
});

test('our own artifacts go through unchanged, with the values of a run', async () => {
  const artifacts = await generateArtifacts(encodeModel(models.mlp()), { frozenParams: ['b1'] });
  const session = await TrainingSession.create(artifacts);
  const feeds = {
    x: new Tensor('float32', new Float32Array(20).fill(0.5), [4, 5]),
    labels: new Tensor('int64', BigInt64Array.of(0n, 1n, 2n, 0n), [4]),
  };
  for (let i = 0; i < 3; i++) await session.step(feeds);
  const checkpointState = await session.checkpoint({
    format: 'ort',
    properties: { epoch: 3n, best: 0.5, note: 'x' },
  });
  const converted = await convertArtifacts(artifacts, { checkpointState, prefix: 'run_' });
  expect([...converted.files.keys()]).toEqual([
    ...['run_training_model.onnx', 'run_eval_model.onnx', 'run_optimizer_model.onnx'],
    'run_checkpoint',
  ]);
  const read = readOrtCheckpoint(converted.checkpointState);
  expect(read.optimizer?.step).toBe(3);
  expect(Object.fromEntries(read.properties)).toEqual({ epoch: 3n, best: 0.5, note: 'x' });
  expect([...read.frozen.keys()]).toEqual(['b1']);
  const again = await TrainingSession.create(converted);
  expect(again.properties).toEqual({ epoch: 3n, best: 0.5, note: 'x' });
  expect((await again.step(feeds)).loss).toBeCloseTo((await session.step(feeds)).loss, 5);
  for (const each of [session, again]) await each.release();
});
