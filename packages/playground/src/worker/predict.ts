import { GradwareError } from '@gradware/core';
import { Tensor } from '@gradware/core/web';
import type { Example, Prediction } from '../shared/protocol.js';
import type { Run } from './open-run.js';

function softmax(scores: Float32Array): readonly number[] {
  const most = Math.max(...scores);
  const powers = Array.from(scores, (score) => Math.exp(score - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** What the model makes of an image of 8 x 8 pixels from 0 (paper) to 1 (ink).
 *  @throws GradwareError UNSUPPORTED for a model that takes no such image */
export async function predict(run: Run, pixels: readonly number[]): Promise<Prediction> {
  const { image, session, test } = run;
  if (image === undefined || !run.opened.draws)
    throw new GradwareError('UNSUPPORTED', 'This model takes no image of 8 x 8 pixels');
  const feeds: Record<string, Tensor> = {
    [image.name]: new Tensor('float32', Float32Array.from(pixels), [1, ...image.dims]),
  };
  // The loss wants labels, too: any will do.
  for (const [name, { type, dims }] of Object.entries(test))
    if (name !== image.name && session.evalInputNames.includes(name)) {
      const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
      const data = type === 'int64' ? new BigInt64Array(size) : new Int32Array(size);
      feeds[name] = new Tensor(type as 'int64', data as BigInt64Array, [1, ...dims.slice(1)]);
    }
  const outputs = await session.runEvalStep(feeds);
  const scores = Object.values(outputs).find(
    ({ type, dims }) => type === 'float32' && dims[0] === 1 && (dims[1] ?? 0) > 1,
  );
  if (scores === undefined)
    throw new GradwareError('UNSUPPORTED', 'The evaluation model has no scores for classes');
  return { probabilities: softmax(scores.data as Float32Array) };
}

/** An image that the model has not seen. */
export function exampleOf({ image, test }: Run, index: number): Example {
  const images = image && test[image.name];
  const labels = Object.values(test).find(({ dims }) => dims.length === 1);
  const count = images?.dims[0] ?? 0;
  if (images === undefined || count === 0)
    throw new GradwareError('UNSUPPORTED', 'There are no images of 8 x 8 pixels in this data');
  const at = ((index % count) + count) % count;
  const size = images.data.length / count;
  return {
    pixels: Array.from((images.data as Float32Array).subarray(at * size, (at + 1) * size)),
    label: Number(labels?.data[at] ?? -1),
    index: at,
  };
}
