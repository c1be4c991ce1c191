import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { GradwareError } from '../../packages/core/src/errors.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { haveArtifacts, readArtifact } from '../support/artifacts.js';

const models = [
  'carzh-android-mobilenetv2/mobilenetv2_optimizer.onnx',
  'carzh-web-mnist/eval_model.onnx',
  'carzh-web-mnist/optimizer_model.onnx',
  'carzh-web-mnist/training_model.onnx',
  'ort-testdata-custom-ops/training_model.onnx',
  'ort-testdata-mnist/adamw.onnx',
  'ort-testdata-mnist/eval_model.onnx',
  'ort-testdata-mnist/training_model.onnx',
  'ort-testdata-mnist/zero_model.onnx',
  'ort-testdata-old/adamw_580.onnx',
  'ort-testdata-old/adamw_925.onnx',
  'ort-testdata-old/gradient_graph.onnx',
  'ort-testdata-old/optimizer_graph.onnx',
  'ort-testdata-old/training_model_v1accum.onnx',
  'ort-testdata-ort-format/eval_model.ort',
  'ort-testdata-ort-format/optimizer_model.ort',
  'ort-testdata-ort-format/training_model.ort',
  'srijanie-transformer/eval_model.onnx',
  'srijanie-transformer/optimizer_model.onnx',
  'srijanie-transformer/training_model.onnx',
  'yalue-go/eval_model.onnx',
  'yalue-go/optimizer_model.onnx',
  'yalue-go/training_model.onnx',
  'yalue-go/training_network.onnx',
];

for (const name of models) {
  test.runIf(haveArtifacts(name))(`${name} is read, and the same after being written`, () => {
    const model = decodeModel(readArtifact(name), { file: name });
    expect(model.graph.nodes.length).toBeGreaterThan(0);
    // As toEqual, which takes seconds on large arrays.
    expect(isDeepStrictEqual(decodeModel(encodeModel(model)), model)).toBe(true);
  });

  test.runIf(haveArtifacts(name))(`${name} cut short anywhere is read or refused`, () => {
    const bytes = readArtifact(name);
    let refused = 0;
    for (let length = 0; length < bytes.length; length += 64) {
      try {
        decodeModel(bytes.subarray(0, length), { file: name });
      } catch (error) {
        if (!(error instanceof GradwareError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(0);
  });
}
