import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateArtifacts } from '@gradware/core/node';
import { multilayerPerceptron } from '../models/mlp.js';

/** A set of training artifacts, and what a step of it is fed. */
export interface ArtifactSet {
  readonly title: string;
  readonly files: {
    readonly trainModel: Uint8Array;
    readonly optimizerModel: Uint8Array;
    readonly checkpointState: Uint8Array;
  };
  readonly labels: 'int32' | 'int64';
}

/** The perceptron that ORT's own tests and its browser demo train. */
export const layers = [784, 500, 10] as const;

/** ORT's own files where they are at hand (GRADWARE_ARTIFACTS names the folder that holds them), else ours of the same
 *  network. */
export async function mnistArtifacts(): Promise<ArtifactSet> {
  const folder = join(process.env.GRADWARE_ARTIFACTS ?? '', 'ort-testdata-mnist');
  if (process.env.GRADWARE_ARTIFACTS !== undefined && existsSync(folder)) {
    const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
    return {
      title: `MNIST MLP ${layers.join('-')}, artifacts of ONNX Runtime's own tools`,
      files: {
        trainModel: read('training_model.onnx'),
        optimizerModel: read('adamw.onnx'),
        checkpointState: read('checkpoint.ckpt'),
      },
      labels: 'int32',
    };
  }
  const { trainModel, optimizerModel, checkpointState } = await generateArtifacts(
    multilayerPerceptron(layers),
  );
  return {
    title: `MNIST MLP ${layers.join('-')}, artifacts of our own`,
    files: { trainModel, optimizerModel: optimizerModel ?? new Uint8Array(), checkpointState },
    labels: 'int64',
  };
}
