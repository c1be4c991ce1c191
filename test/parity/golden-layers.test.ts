import { expect, test } from 'vitest';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { relativeDistance } from '../support/check-gradients.js';
import { modelGradients } from '../support/model-gradients.js';
import { goldenLayers, modelOf, weighed } from './golden-layers.js';

test('there are goldens for every op', () => {
  const counts = new Map<string, number>();
  for (const { opType } of goldenLayers) counts.set(opType, (counts.get(opType) ?? 0) + 1);
  expect(Object.fromEntries(counts)).toEqual({
    AffineGrid: 4,
    Col2Im: 1,
    Compress: 1,
    DFT: 3,
    DeformConv: 2,
    Det: 2,
    GridSample: 60,
    MaxRoiPool: 2,
    MaxUnpool: 1,
    Resize: 20,
    RoiAlign: 4,
    STFT: 4,
  });
});

test.each(goldenLayers)(
  "$opType of opset $opset has PyTorch's gradients of $name",
  async (layer) => {
    const { given } = layer;
    const wanted = [...given].filter(([key]) => key.endsWith('_grad'));
    expect(wanted.length).toBeGreaterThan(0);
    const leaves = wanted.map(([key]) => key.slice(0, -'_grad'.length));
    const { loss, gradients } = await modelGradients(modelOf(layer, given), given, weighed, leaves);
    const [output, weights] = ['output', 'weights'].map(
      (key) => given.get(key)?.data as Float32Array,
    );
    const exact = output?.reduce((sum, y, i) => sum + y * (weights?.[i] ?? 0), 0) ?? 0;
    expect(loss).toBeCloseTo(exact, 4);
    for (const [key, gradient] of wanted) {
      const ours = gradients.get(key.slice(0, -'_grad'.length)) as TensorData;
      expect(ours.dims).toEqual(gradient.dims);
      expect(relativeDistance(ours, gradient), key).toBeLessThan(1e-5);
    }
  },
);
