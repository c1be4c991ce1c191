import { type GradientCase, nameOf, usesTrainingOps } from '../support/check-gradients.js';

const listed = (checked: GradientCase, name: string) => {
  const value = checked.attributes?.[name];
  return Array.isArray(value) ? (value as readonly number[]) : [];
};

/** Where ORT 1.19.2's own kernels cannot serve as a referee. */
const outOfReach: readonly {
  readonly because: string;
  readonly holds: (c: GradientCase) => boolean;
}[] = [
  {
    because: 'its AveragePoolGrad knows neither ceil_mode nor dilations, and assigns in 3-D',
    holds: (c) =>
      c.op === 'AveragePool' &&
      (c.attributes?.ceil_mode === 1 ||
        c.attributes?.dilations !== undefined ||
        (listed(c, 'kernel_shape').length === 3 && listed(c, 'strides').length === 0)),
  },
  {
    because: 'its GatherNDGrad reads a wrong shape where pointers have 32 bits',
    holds: (c) => c.op === 'GatherND',
  },
  {
    because: 'its SliceGrad does not run backwards',
    holds: (c) => c.op === 'Slice' && nameOf(c).includes('int64(-1'),
  },
  {
    because: 'its Dropout draws a mask of its own',
    holds: (c) => c.op === 'Dropout',
  },
  {
    because: 'it fails, with a bare number, to load a conditional',
    holds: (c) => c.op === 'If',
  },
  {
    because: 'it refuses matrices without elements',
    holds: (c) =>
      /MatMul|Gemm/.test(c.op) && c.inputs.some((x) => Array.isArray(x) && x.includes(0)),
  },
];

/** Whether a gradient can be compared with what ORT's own training kernels compute. */
export function isRefereedByOrt(checked: GradientCase): boolean {
  return usesTrainingOps(checked) && outOfReach.every(({ holds }) => !holds(checked));
}
