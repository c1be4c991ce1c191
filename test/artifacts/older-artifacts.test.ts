import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspectModel, nodeRuntime, Tensor, TrainingSession } from '@gradware/core/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCheckpoint } from '../../packages/core/src/artifacts/checkpoint.js';
import { readOptimizerModel } from '../../packages/core/src/artifacts/optimizer-model.js';
import type { Checkpoint } from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { writeOrtCheckpoint } from '../../packages/core/src/artifacts/write-ort-checkpoint.js';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import { makeTensor } from '../../packages/core/src/onnx/tensor.js';
import { artifactPath, haveArtifacts, readArtifact } from '../support/artifacts.js';
import { createOracleSession, loadOrtTraining, oracleTensor } from '../support/ort-training.js';

const old = (name: string) => `ort-testdata-old/${name}`;

const images = makeTensor(
  'float32',
  [8, 784],
  Float32Array.from({ length: 8 * 784 }, (_, i) => Math.sin((i + 1) * 0.37)),
);
const labels = makeTensor(
  'int32',
  [8],
  Int32Array.from({ length: 8 }, (_, i) => i % 10),
);

const feedsFor = (input: string, label: string) => ({
  [input]: new Tensor('float32', images.data as Float32Array, images.dims),
  [label]: new Tensor('int32', labels.data as Int32Array, labels.dims),
});

function ortCheckpoint(bytes: Uint8Array): Checkpoint {
  const read = readCheckpoint(bytes);
  if (read.format !== 'ort') throw new Error('another checkpoint');
  return read.checkpoint;
}

function relative(found: number, wanted: number): number {
  return Math.abs(found - wanted) / Math.abs(wanted);
}

/** Five steps by ORT's own runtime, from the parameters of the older checkpoint in the newer form. */
async function oracleLosses(): Promise<readonly number[]> {
  const session = await createOracleSession({
    checkpoint: writeOrtCheckpoint(ortCheckpoint(readArtifact(old('paramtrain_tensors.pbseq')))),
    trainModel: artifactPath(old('training_model_v1accum.onnx')),
    optimizerModel: artifactPath('ort-testdata-mnist/adamw.onnx'),
  });
  const feeds = { 'input-0': await oracleTensor(images), labels: await oracleTensor(labels) };
  const losses: number[] = [];
  for (let i = 0; i < 5; i++) {
    const results = await session.runTrainStep(feeds);
    losses.push(Number(results[session.trainingOutputNames[0] ?? '']?.data[0]));
    await session.runOptimizerStep();
    await session.lazyResetGrad();
  }
  await session.release();
  return losses;
}

const optimizers = ['optimizer_graph.onnx', 'adamw_580.onnx', 'adamw_925.onnx'];

describe.skipIf(!haveArtifacts('ort-testdata-old', 'ort-testdata-mnist'))(
  'the oldest artifacts of ORT',
  () => {
    let wanted: readonly number[];
    beforeAll(async () => {
      wanted = await oracleLosses();
    });

    // One AdamOptimizer for each parameter, a flag of whole numbers, a SequenceConstruct.
    test.each(optimizers)('.pbseq and %s train as ORT does', async (optimizer) => {
      for (const [model, feeds] of [
        ['training_model_v1accum.onnx', feedsFor('input-0', 'labels')],
        ['gradient_graph.onnx', feedsFor('input1', 'target')],
      ] as const) {
        const session = await TrainingSession.create({
          checkpointState: artifactPath(old('paramtrain_tensors.pbseq')),
          trainModel: artifactPath(old(model)),
          optimizerModel: artifactPath(old(optimizer)),
        });
        for (const loss of wanted)
          expect(relative((await session.step(feeds)).loss, loss)).toBeLessThan(1e-4);
        await session.release();
      }
    });

    test('gradients of accumulators of version 1 are those of ORT', async () => {
      const { InferenceSession } = await loadOrtTraining();
      const theirs = await InferenceSession.create(readArtifact(old('gradient_graph.onnx')));
      const { trainable } = ortCheckpoint(readArtifact(old('paramtrain_tensors.pbseq')));
      const feeds: Record<string, Awaited<ReturnType<typeof oracleTensor>>> = {
        input1: await oracleTensor(images),
        target: await oracleTensor(labels),
        lazy_reset_grad: await oracleTensor(makeTensor('bool', [1], [1])),
      };
      for (const [name, tensor] of trainable) {
        feeds[name] = await oracleTensor(tensor);
        const zeros = new Float32Array(tensor.data.length);
        feeds[`${name}_grad.accumulation.buffer`] = await oracleTensor(
          makeTensor('float32', tensor.dims, zeros),
        );
      }
      const results = await theirs.run(feeds);
      const mine = await TrainingSession.create({
        checkpointState: artifactPath(old('paramtrain_tensors.pbseq')),
        trainModel: artifactPath(old('gradient_graph.onnx')),
      });
      await mine.runTrainStep(feedsFor('input1', 'target'));
      const gradients = await mine.gradients();
      for (const name of trainable.keys()) {
        const expected = results[`${name}_grad.accumulation.out`]?.data as Float32Array;
        const found = gradients.get(name)?.data as Float32Array;
        const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        expect(found.length).toBe(expected.length);
        expect(found.every((value, i) => Math.abs(value - (expected[i] ?? 0)) / scale < 1e-5)).toBe(
          true,
        );
      }
      await mine.release();
      await theirs.release();
    });

    test('a frozen .pbseq and one of another model are read', () => {
      for (const name of [
        old('load_checkpoint-paramfrozen_tensors.pbseq'),
        'carzh-android-mobilenetv2/paramtrain_tensors.pbseq',
      ]) {
        if (!haveArtifacts(name)) continue;
        const { trainable } = ortCheckpoint(readArtifact(name));
        expect(trainable.size).toBe(2);
      }
    });

    test('checkpoints of version 1 and 2 and the .pbseq file hold the same kinds of things', () => {
      const names = (name: string) =>
        [...ortCheckpoint(readArtifact(name)).trainable.keys()].sort();
      expect(names(old('checkpoint_v1.ckpt'))).toEqual(names(old('paramtrain_tensors.pbseq')));
    });
  },
);

const folder = mkdtempSync(join(tmpdir(), 'gradware-old-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.runIf(haveArtifacts('ort-testdata-old'))(
  'a folder with models and .pbseq files is a set of artifacts',
  async () => {
    const copy = (from: string, to: string) =>
      copyFileSync(artifactPath(old(from)), join(folder, to));
    copy('training_model_v1accum.onnx', 'training_model.onnx');
    copy('adamw_925.onnx', 'optimizer_model.onnx');
    copy('paramtrain_tensors.pbseq', 'paramtrain_tensors.pbseq');
    writeFileSync(join(folder, 'custom_properties.pbseq'), Uint8Array.of(0));
    const { parameters } = await inspectModel(nodeRuntime.files, folder);
    expect(parameters.filter(({ trains }) => trains)).toHaveLength(4);
    const session = await TrainingSession.create(folder);
    const before = (await session.step(feedsFor('input-0', 'labels'))).loss;
    expect((await session.step(feedsFor('input-0', 'labels'))).loss).toBeLessThan(before);
    await session.release();
  },
);

test.runIf(haveArtifacts('carzh-android-mobilenetv2'))('an optimizer with a flag of int64', () => {
  const file = 'carzh-android-mobilenetv2/mobilenetv2_optimizer.onnx';
  expect(readOptimizerModel(decodeModel(readArtifact(file)))).toMatchObject({
    kind: 'adamw',
    mode: 'huggingface',
    weightDecay: 0,
  });
});
