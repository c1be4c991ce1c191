import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { compare, expectClose, generator, like, map } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';
import { runOracleNode } from '../support/ort-training.js';

const random = generator(15);

describe.each([
  [[4, 6], -1],
  [[2, 3, 4], -1],
  [[2, 3, 4], 1],
  [[2, 3, 4, 5], 2],
])('layer norm of %j from axis %i', (shape, axis) => {
  const from = axis < 0 ? axis + shape.length : axis;
  const x = map(random(...shape), (v) => v * 2 + 0.5);
  const dy = random(...shape);
  const [scale, bias] = [random(...shape.slice(from)), random(...shape.slice(from))];
  const kept = { type: 'float32' as const, shape: shape.map((dim, a) => (a < from ? dim : 1)) };
  const attributes = { axis };

  test('LayerNormalizationGrad', async () => {
    const [, mean, invStd] = await runOracleNode({
      opType: 'LayerNormalization',
      inputs: [x, scale, bias],
      attributes,
      outputs: [like(x), kept, kept],
    });
    await compare({
      opType: 'LayerNormalizationGrad',
      inputs: [dy, x, scale, mean, invStd],
      attributes,
      outputs: [like(x), like(scale), like(scale)],
      tolerance: 5e-6,
    });
  });

  test('SimplifiedLayerNormalizationGrad', async () => {
    const [, , invStd] = await runOracleNode({
      opType: 'LayerNormalization',
      inputs: [x, scale, bias],
      attributes,
      outputs: [like(x), kept, kept],
    });
    await compare({
      opType: 'SimplifiedLayerNormalizationGrad',
      inputs: [dy, x, scale, invStd],
      attributes,
      outputs: [like(x), like(scale)],
      tolerance: 5e-6,
    });
  });

  test('InvertibleLayerNormalizationGrad', async () => {
    const [y, , invStd] = await runOracleNode({
      opType: 'LayerNormalization',
      inputs: [x, scale, bias],
      attributes,
      outputs: [like(x), kept, kept],
    });
    await compare({
      opType: 'InvertibleLayerNormalizationGrad',
      inputs: [dy, y, scale, bias, invStd],
      attributes,
      outputs: [like(x), like(scale), like(scale)],
      // Dividing by the scale magnifies the rounding of y, in the kernel as here.
      tolerance: 1e-4,
    });
  });
});

describe.each([[[6, 3]], [[4, 3, 5]], [[2, 3, 4, 5]]])('batch norm of %j', (shape) => {
  const channels = shape[1] ?? 0;
  const x = map(random(...shape), (v) => v * 2 + 0.5);
  const [scale, bias, mean] = [random(channels), random(channels), random(channels)];
  const variance = map(random(channels), (v) => v + 1.5);
  const one = like(scale);

  test.each([{}, { momentum: 0.75, epsilon: 1e-3 }])('BatchNormInternal %j', (attributes) =>
    compare({
      opType: 'BatchNormInternal',
      inputs: [x, scale, bias, mean, variance],
      attributes: { ...attributes, training_mode: 1 },
      outputs: [like(x), one, one, one, one],
      tolerance: 5e-6,
    }),
  );

  test('BatchNormalization in training', () =>
    compare({
      opType: 'BatchNormalization',
      inputs: [x, scale, bias, mean, variance],
      attributes: { training_mode: 1 },
      outputs: [like(x), one, one],
      tolerance: 5e-6,
    }));

  test('BatchNormalizationGrad', async () => {
    const [, , , saved, invStd] = await runOracleNode({
      opType: 'BatchNormInternal',
      inputs: [x, scale, bias, mean, variance],
      attributes: { training_mode: 1 },
      outputs: [like(x), one, one, one, one],
    });
    await compare({
      opType: 'BatchNormalizationGrad',
      inputs: [random(...shape), x, scale, saved, invStd],
      attributes: { epsilon: 1e-5 },
      outputs: [like(x), one, one],
      tolerance: 5e-6,
    });
  });
});

const truth = (value: boolean) => tensorOf('bool', [value ? 1 : 0], []);
const number = (value: number) => tensorOf('float32', [value], []);

describe('Dropout', () => {
  const x = map(random(40, 50), (v) => v + 3);
  const both = [like(x), like(x, 'bool')];
  const ratios = [0.1, 0.5, 0.9].flatMap((ratio) =>
    [[1, 2], []].map((constants) => ({ ratio, constants })),
  );

  // ORT draws its mask, so this one is checked by what a mask must be.
  test.each(ratios)('ratio $ratio, constants $constants', async ({ ratio, constants }) => {
    for (const provider of ['cpu', 'webgpu'] as const) {
      const inputs = [x, number(ratio), truth(true)];
      const { outputs } = await runLowered({
        opType: 'Dropout',
        inputs,
        constants,
        provider,
        outputs: both,
      });
      const [y, mask] = outputs as [TensorData, TensorData];
      const kept = Array.from(mask.data as Uint8Array);
      const share = kept.reduce((sum, bit) => sum + bit, 0) / kept.length;
      const spread = Math.sqrt((ratio * (1 - ratio)) / kept.length);
      expect(Math.abs(share - (1 - ratio))).toBeLessThan(4 * spread);
      expectClose(
        y,
        map(x, (v, i) => (kept[i] ? v / (1 - ratio) : 0)),
        1e-6,
      );
      const dy = random(40, 50);
      const gradient = { opType: 'DropoutGrad', inputs: [dy, mask, number(ratio), truth(true)] };
      await compare({ ...gradient, constants, outputs: [like(x)] });
    }
  });

  test.each([
    ['ratio 0', [x, number(0), truth(true)], [1, 2]],
    ['ratio 0 at run time', [x, number(0), truth(true)], []],
    ['not training', [x, number(0.5), truth(false)], [1, 2]],
    ['not training, at run time', [x, number(0.5), truth(false)], []],
    ['no training_mode', [x, number(0.5)], [1]],
  ])('%s changes nothing', async (_, inputs, constants) => {
    const ones = tensorOf('bool', Array(elementCount(x.dims)).fill(1), x.dims);
    await compare({ opType: 'Dropout', inputs, constants, outputs: both, reference: [x, ones] });
  });

  test('DropoutGrad with its defaults', () =>
    compare({
      opType: 'DropoutGrad',
      inputs: [random(3, 4), tensorOf('bool', [1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1], [3, 4])],
      outputs: [{ type: 'float32', shape: [3, 4] }],
    }));
});
