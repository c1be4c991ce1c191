import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { compare, expectClose, generator, like, map } from '../support/compare.js';
import { runLowered } from '../support/lowering.js';

const random = generator(15);
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
    const reference = { by: 'definition', because: 'nothing is drawn', outputs: [x, ones] };
    await compare({ opType: 'Dropout', inputs, constants, outputs: both, reference });
  });
});
