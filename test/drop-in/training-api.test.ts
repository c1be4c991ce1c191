import { fileURLToPath } from 'node:url';
import { type InferenceSession, Tensor, TrainingSession } from '@gradware/core/node';
import type { TrainingSession as OldSession } from 'onnxruntime-training-common';
import { expect, test } from 'vitest';

const artifacts = (file: string) =>
  fileURLToPath(new URL(`../../models/digits/artifacts/mlp/${file}`, import.meta.url));

/** Everything that a session had in onnxruntime-common 1.19.2: a name more or less there would not compile. */
const old: Readonly<Record<keyof OldSession, 'function' | 'object'>> = {
  lazyResetGrad: 'function',
  runTrainStep: 'function',
  runOptimizerStep: 'function',
  runEvalStep: 'function',
  getParametersSize: 'function',
  loadParametersBuffer: 'function',
  getContiguousParameters: 'function',
  release: 'function',
  trainingInputNames: 'object',
  trainingOutputNames: 'object',
  evalInputNames: 'object',
  evalOutputNames: 'object',
};

/** A page as it was written for onnxruntime-web 1.19. */
async function page(batch: InferenceSession.FeedsType) {
  const options: InferenceSession.SessionOptions = {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: 1,
  };
  const session = await TrainingSession.create(
    {
      checkpointState: artifacts('checkpoint'),
      trainModel: artifacts('training_model.onnx'),
      evalModel: artifacts('eval_model.onnx'),
      optimizerModel: artifacts('optimizer_model.onnx'),
    },
    options,
  );
  const [lossName = ''] = session.trainingOutputNames;
  const numberOf = (value: Tensor | undefined) => Number(value?.data[0]);
  const losses: number[] = [];
  for (let epoch = 0; epoch < 10; epoch++) {
    const results = await session.runTrainStep(batch, { tag: `epoch ${epoch}` });
    losses.push(numberOf(results[lossName]));
    await session.runOptimizerStep();
    await session.lazyResetGrad();
  }
  const size = await session.getParametersSize(true);
  const parameters = await session.getContiguousParameters(true);
  const evaluated = await session.runEvalStep(batch, [session.evalOutputNames[0] ?? '']);
  const { data } = parameters;
  const zeros = new Uint8Array((data as Float32Array).byteLength);
  await session.loadParametersBuffer(zeros, true);
  const blank = await session.runEvalStep(batch);
  await session.release();
  const [evalName = ''] = session.evalOutputNames;
  return {
    losses,
    size,
    parameters: data.length,
    trained: numberOf(evaluated[evalName]),
    blank: numberOf(blank[evalName]),
  };
}

test('a page for onnxruntime-web/training needs another import, and nothing else', async () => {
  const length = 16;
  const probe = await TrainingSession.create(artifacts(''));
  const [x, labels] = probe.trainingInputs;
  const width = (x?.shape ?? []).slice(1).map(Number);
  const count = width.reduce((product, n) => product * n, length);
  const batch = {
    [x?.name ?? '']: new Tensor(
      'float32',
      Float32Array.from({ length: count }, (_, i) => Math.sin(i) ** 2),
      [length, ...width],
    ),
    [labels?.name ?? '']: new Tensor(
      'int64',
      BigInt64Array.from({ length }, (_, i) => BigInt(i % 10)),
      [length],
    ),
  };
  for (const [name, kind] of Object.entries(old))
    expect(typeof probe[name as keyof OldSession], name).toBe(kind);
  await probe.release();
  const told = await page(batch);
  expect(told.losses.at(-1)).toBeLessThan(told.losses[0] ?? 0);
  expect(told.trained).toBeLessThan(told.losses.at(-1) ?? 0);
  expect(told.parameters).toBe(told.size);
  // All weights zero: every class is as likely as any other.
  expect(told.blank).toBeCloseTo(Math.log(10), 5);
});

test('feeds that disagree on the batch are named, not the model', async () => {
  const session = await TrainingSession.create(artifacts(''));
  const feeds = {
    image: new Tensor('float32', new Float32Array(3 * 64), [3, 1, 8, 8]),
    labels: new Tensor('int64', new BigInt64Array(2), [2]),
  };
  const calls = [
    session.runTrainStep(feeds),
    session.runEvalStep(feeds),
    session.step(feeds),
    session.steps([feeds]),
  ];
  for (const call of calls)
    await expect(call).rejects.toMatchObject({
      code: 'INVALID_DATA',
      problem: 'The inputs disagree on "batch": it is 3 in "image", and 2 in "labels"',
    });
  await session.release();
});

test('files that were forgotten are asked for, and names that are none refused', async () => {
  const trainModel = artifacts('training_model.onnx');
  const checkpointState = artifacts('checkpoint');
  await expect(TrainingSession.create({ checkpointState } as never)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    problem: 'There is no model in [object Object]',
  });
  await expect(
    TrainingSession.create({ trainModel, checkpointState: undefined } as never),
  ).rejects.toMatchObject({ code: 'INVALID_OPTION', where: 'no files' });
  const session = await TrainingSession.create({ trainModel, checkpointState });
  for (const name of [undefined, null, 3])
    await expect(session.getParameter(name as never)).rejects.toMatchObject({
      code: 'UNKNOWN_PARAMETER',
    });
  await expect(session.loadCheckpoint(null as never)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  });
  await session.release();
});
