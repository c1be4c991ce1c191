import { expect, test } from 'vitest';
import type { FileAccess } from '../../runtime/runtime.js';
import { findArtifacts } from './find-artifacts.js';

const unasked = () => Promise.reject(new Error('not asked for'));

const folderOf = (...names: readonly string[]): FileAccess => ({
  read: unasked,
  readBeside: () => undefined,
  isFolder: unasked,
  list: () => Promise.resolve(names),
  join: (folder, name) => `${String(folder)}/${name}`,
  writeAtomic: unasked,
});

const models = ['training_model.onnx', 'eval_model.onnx', 'optimizer_model.onnx'];

test('checkpoints that were saved beside the artifacts do not hide theirs', async () => {
  const files = folderOf(...models, 'best_checkpoint', 'checkpoint', 'step-100.ckpt');
  expect(await findArtifacts(files, 'a')).toEqual({
    trainModel: 'a/training_model.onnx',
    evalModel: 'a/eval_model.onnx',
    optimizerModel: 'a/optimizer_model.onnx',
    checkpointState: 'a/checkpoint',
  });
});

test('the prefix of the training model is that of the others', async () => {
  const files = folderOf(...models.map((name) => `my_${name}`), 'checkpoint', 'my_checkpoint');
  expect((await findArtifacts(files, 'a')).checkpointState).toBe('a/my_checkpoint');
});

test('two sets of models: the one without a prefix', async () => {
  const files = folderOf(...models, ...models.map((name) => `my_${name}`), 'checkpoint');
  expect((await findArtifacts(files, 'a')).trainModel).toBe('a/training_model.onnx');
});

test('two checkpoints of other names are refused, with the name to give', async () => {
  const files = folderOf(...models, 'a_checkpoint', 'b_checkpoint');
  await expect(findArtifacts(files, 'a')).rejects.toMatchObject({
    code: 'FILE',
    problem:
      'The folder has several files that could be the checkpointState: a_checkpoint, b_checkpoint',
    remedy:
      'Name it checkpoint, or name the files: { checkpointState, trainModel, evalModel, optimizerModel }.',
  });
});
