import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { readCheckpoint } from '../../packages/core/src/artifacts/checkpoint.js';
import { readOptimizerModel } from '../../packages/core/src/artifacts/optimizer-model.js';
import { readOrtCheckpoint } from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { parseTrainingModel } from '../../packages/core/src/artifacts/training-model.js';
import { writeOrtCheckpoint } from '../../packages/core/src/artifacts/write-ort-checkpoint.js';
import { GradwareError } from '../../packages/core/src/errors.js';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import { haveArtifacts, readArtifact } from '../support/artifacts.js';

const checkpoints = [
  'carzh-web-mnist/checkpoint',
  'ort-testdata-custom-ops/checkpoint',
  'ort-testdata-mnist/checkpoint.ckpt',
  'ort-testdata-mnist/nominal_checkpoint',
  'ort-testdata-old/checkpoint_v1.ckpt',
  'ort-testdata-ort-format/checkpoint',
  'srijanie-transformer/checkpoint',
  'yalue-go/checkpoint',
];

for (const name of checkpoints) {
  test.runIf(haveArtifacts(name))(`${name} is read, and the same after being written`, () => {
    const checkpoint = readOrtCheckpoint(readArtifact(name), { file: name });
    expect(checkpoint.trainable.size).toBeGreaterThan(0);
    expect(checkpoint.nominal).toBe(name.includes('nominal'));
    const again = readOrtCheckpoint(writeOrtCheckpoint(checkpoint));
    // As toEqual, which takes seconds on large arrays.
    expect(isDeepStrictEqual(again, checkpoint)).toBe(true);
  });

  test.runIf(haveArtifacts(name))(`${name} cut short anywhere is refused`, () => {
    const bytes = readArtifact(name);
    let read = 0;
    for (let length = 0; length < bytes.length; length += 64) {
      try {
        readCheckpoint(bytes.subarray(0, length));
        read++;
      } catch (error) {
        if (!(error instanceof GradwareError)) throw error;
      }
    }
    expect(read).toBe(0);
  });
}

const sets: readonly (readonly [folder: string, training: string, checkpoint: string])[] = [
  ['carzh-web-mnist', 'training_model.onnx', 'checkpoint'],
  ['ort-testdata-mnist', 'training_model.onnx', 'checkpoint.ckpt'],
  ['ort-testdata-mnist', 'training_model.onnx', 'nominal_checkpoint'],
  ['ort-testdata-old', 'training_model_v1accum.onnx', 'checkpoint_v1.ckpt'],
  ['ort-testdata-custom-ops', 'training_model.onnx', 'checkpoint'],
  ['srijanie-transformer', 'training_model.onnx', 'checkpoint'],
  ['yalue-go', 'training_model.onnx', 'checkpoint'],
];

for (const [folder, trainingFile, checkpointFile] of sets) {
  const training = `${folder}/${trainingFile}`;
  const file = `${folder}/${checkpointFile}`;
  test.runIf(haveArtifacts(training, file))(`${file} fits ${trainingFile}`, () => {
    const { trainable, frozen, nominal } = readOrtCheckpoint(readArtifact(file), { file });
    const model = decodeModel(readArtifact(training), { file: training });
    const parsed = parseTrainingModel(model, {
      parameters: [...trainable.keys(), ...frozen.keys()],
    });
    expect(parsed.trainable.map(({ parameter }) => parameter).sort()).toEqual(
      [...trainable.keys()].sort(),
    );
    expect(parsed.userInputs.length).toBeGreaterThan(0);
    expect(parsed.seed).toBe(`${parsed.loss}_grad`);
    const produced = new Set(parsed.graph.nodes.flatMap(({ outputs }) => outputs));
    expect(parsed.trainable.filter(({ gradient }) => !produced.has(gradient))).toEqual([]);
    expect(parsed.graph.inputs.filter(({ name }) => /accumulation|lazy_reset/.test(name))).toEqual(
      [],
    );
    if (nominal) return;
    for (const { name, shape } of parsed.parameterInputs) {
      expect((trainable.get(name) ?? frozen.get(name))?.dims).toEqual(shape);
    }
  });
}

const gradients = 'ort-testdata-old/gradient_graph.onnx';
test.runIf(haveArtifacts(gradients))('the oldest kind of gradient graph is understood', () => {
  const parsed = parseTrainingModel(decodeModel(readArtifact(gradients)));
  expect(parsed.trainable.map(({ parameter }) => parameter).sort()).toEqual([
    'fc1.bias',
    'fc1.weight',
    'fc2.bias',
    'fc2.weight',
  ]);
});

const optimizers = [
  'carzh-android-mobilenetv2/mobilenetv2_optimizer.onnx',
  'carzh-web-mnist/optimizer_model.onnx',
  'ort-testdata-mnist/adamw.onnx',
  'ort-testdata-old/adamw_580.onnx',
  'ort-testdata-old/adamw_925.onnx',
  'ort-testdata-old/optimizer_graph.onnx',
  'srijanie-transformer/optimizer_model.onnx',
  'yalue-go/optimizer_model.onnx',
];

for (const name of optimizers) {
  test.runIf(haveArtifacts(name))(`${name} is recognised`, () => {
    expect(readOptimizerModel(decodeModel(readArtifact(name)), name)).toEqual({
      kind: 'adamw',
      mode: 'huggingface',
      betas: [Math.fround(0.9), Math.fround(0.999)],
      epsilon: Math.fround(1e-6),
      weightDecay: 0,
      biasCorrection: true,
    });
  });
}
