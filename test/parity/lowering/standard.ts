import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, int64, type LoweringCase, like, map } from '../../support/compare.js';

const random = generator(17);
const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const odd = tensorOf('float32', [-inf, -2.5, -1.5, -1, -0.5, 0, 0.5, 1.2, 1.5, 2.5, inf, nan]);
const bools = [tensorOf('bool', [0, 0, 1, 1]), tensorOf('bool', [0, 1, 0, 1])];
const finite = map(random(3, 5), (v) => v * 4);
const halves = tensorOf('float32', [-2.5, -1.5, -0.7, -0.5, 0, 0.3, 0.5, 0.7, 1.5, 2.5]);

function standard(
  opType: string,
  inputs: readonly TensorData[],
  given: Partial<LoweringCase> = {},
): LoweringCase {
  return { opType, inputs, outputs: [like(inputs[0] as TensorData)], opset: 18, ...given };
}

const sizes = [1, 2, 1, 1, 3, 1, 1, 1, 2];
const several = [1, 2, 3].flatMap((count) => {
  const inputs = [random(2, 3), random(2, 3), random(2, 3)].slice(0, count);
  return [standard('Sum', inputs), standard('Mean', inputs)];
});

/** What webgpu lacks, or has a wrong kernel for: compared with the kernel that the CPU has. */
export const standardOps: readonly LoweringCase[] = [
  ...['Relu', 'Sign'].map((opType) => standard(opType, [odd])),
  standard('Round', [halves]),
  ...['Softsign', 'Selu', 'Celu'].map((opType) => standard(opType, [finite])),
  standard('Celu', [finite], { attributes: { alpha: 0.5 } }),
  ...[-1, 0, 1].map((axis) => standard('LogSoftmax', [finite], { attributes: { axis } })),
  ...['Or', 'Xor', 'Equal'].map((opType) => standard(opType, bools)),
  standard('IsNaN', [odd], { outputs: [like(odd, 'bool')] }),
  ...[{}, { detect_negative: 0 }, { detect_positive: 0 }].map((attributes) =>
    standard('IsInf', [odd], { attributes, outputs: [like(odd, 'bool')] }),
  ),
  ...several,
  ...[-1, 0, 1].map((axis) =>
    standard(
      'OneHot',
      [int64([0, 2, -1, 1], [2, 2]), int64([4], []), tensorOf('float32', [-1, 3])],
      {
        attributes: { axis },
        constants: [1],
        outputs: [
          { type: 'float32', shape: axis === 0 ? [4, 2, 2] : axis === 1 ? [2, 4, 2] : [2, 2, 4] },
        ],
      },
    ),
  ),
  // More parts than there are buffers.
  standard('Split', [random(2, 13), int64(sizes)], {
    attributes: { axis: 1 },
    constants: [1],
    outputs: sizes.map((size) => ({ type: 'float32' as const, shape: [2, size] })),
  }),
];

/** Convolutions of forms that webgpu refuses, or gets wrong. */
const spatial3d = { kernel_shape: [2, 2, 2], strides: [2, 1, 1], pads: [0, 1, 0, 1, 0, 0] };

export const forwardConvolutions: readonly LoweringCase[] = [
  standard('Conv', [random(2, 4, 4, 3, 3), random(6, 2, 2, 2, 2), random(6)], {
    attributes: { ...spatial3d, group: 2 },
    outputs: [{ type: 'float32', shape: [2, 6, 2, 3, 2] }],
  }),
  standard('Conv', [random(1, 3, 3, 3, 3), random(3, 1, 2, 2, 2)], {
    attributes: { group: 3, auto_pad: 'SAME_UPPER' },
    outputs: [{ type: 'float32', shape: [1, 3, 3, 3, 3] }],
  }),
  standard('ConvTranspose', [random(2, 8, 4, 4), random(8, 1, 3, 3), random(4)], {
    attributes: { group: 4, strides: [2, 1], output_padding: [1, 0] },
    outputs: [{ type: 'float32', shape: [2, 4, 10, 6] }],
  }),
  standard('ConvTranspose', [random(1, 2, 3, 2, 3), random(2, 3, 2, 2, 2), random(3)], {
    attributes: { strides: [2, 1, 2], pads: [1, 0, 0, 0, 0, 1] },
    outputs: [{ type: 'float32', shape: [1, 3, 5, 3, 5] }],
  }),
  standard('ConvTranspose', [random(1, 4, 3, 2, 3), random(4, 1, 2, 2, 2)], {
    attributes: { group: 2, strides: [2, 2, 2], auto_pad: 'SAME_LOWER' },
    outputs: [{ type: 'float32', shape: [1, 2, 6, 4, 6] }],
  }),
].map((given) => ({ ...given, tolerance: 3e-6 }));
