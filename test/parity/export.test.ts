import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor, TrainingSession } from '@gradware/core/node';
import { readDataset, take, toInputs } from '@gradware/data/node';
import { expect, test } from 'vitest';
import { decodeModel } from '../../packages/core/src/onnx/model.js';

const digits = (file: string) =>
  fileURLToPath(new URL(`../../models/digits/${file}`, import.meta.url));

/** The first images of the digits, as the session wants them. */
async function batch(session: TrainingSession, size: number) {
  const dataset = await readDataset(digits('digits-train.npz'));
  const model = decodeModel(await session.exportModel());
  const inputs = model.graph.inputs.map(({ name, shape }) => ({
    name,
    type: 'float32' as const,
    shape: [...(shape ?? [])],
  }));
  const wanted = [...inputs, { name: 'labels', type: 'int64' as const, shape: [null] }];
  const { columns } = take(
    toInputs(dataset, wanted),
    Int32Array.from({ length: size }, (_, i) => i),
  );
  return Object.fromEntries(
    [...columns.values()].map(({ name, type, shape, data }) => [
      name,
      new Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );
}

for (const source of ['cnn.onnx', 'mlp.onnx', 'artifacts/cnn', 'artifacts/mlp'])
  test(`${source}: the exported model predicts in plain ONNX Runtime what the session's own evaluation predicts`, async () => {
    const session = await TrainingSession.create(digits(source));
    const feeds = await batch(session, 32);
    const before = await session.runEvalStep(feeds);
    for (let i = 0; i < 5; i++) await session.step(feeds);
    const evaluated = await session.runEvalStep(feeds);
    const [loss = '', scores = ''] = session.evalOutputNames;
    expect(evaluated[loss]?.data[0]).toBeLessThan(Number(before[loss]?.data[0]));

    const exported = await InferenceSession.create(await session.exportModel());
    const { labels: _, ...images } = feeds;
    const predicted = await exported.run(images);
    const [name = ''] = exported.outputNames;
    const [found, wanted] = [predicted[name] as Tensor, evaluated[scores] as Tensor];
    expect(found.dims).toEqual(wanted.dims);
    // Of the largest score: with constant weights ONNX Runtime takes another convolution, which rounds differently.
    const largest = Math.max(...Array.from(wanted.data as Float32Array, Math.abs));
    found.data.forEach((value, i) => {
      expect(Math.abs(Number(value) - Number(wanted.data[i])) / largest).toBeLessThan(1e-6);
    });
    // Any number of examples: the batch axis stays open.
    const image = feeds.image as Tensor;
    const one = (image.data as Float32Array).slice(0, 64);
    await exported.run({ image: new Tensor('float32', one, [1, ...image.dims.slice(1)]) });
    await session.release();
  });
