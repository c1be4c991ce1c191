import { transposedWindowOf } from '../../graph/shapes/compute.js';
import { int, ints } from '../../graph/value.js';
import { lowerings } from '../rule.js';

export const transposedConvolution = lowerings({
  // The adjoint of the convolution with the same weight: dX is that convolution of dY, and dW its weight gradient,
  // with dY as the input and X as the gradient of the output.
  ConvTransposeGrad: ({ op, x: [dy, x, w], attributes, needed }) => {
    const kernel = ints(attributes, 'kernel_shape') ?? w.shape.slice(2);
    const [before, after] = [x.shape.slice(2), dy.shape.slice(2)];
    const window = transposedWindowOf(attributes, before, kernel, after);
    const settings = {
      kernel_shape: kernel,
      strides: window.strides,
      dilations: window.dilations,
      pads: window.pads,
      group: int(attributes, 'group', 1),
    };
    const axes = [0, ...kernel.map((_, i) => i + 2)];
    return [
      needed(0) ? op.Conv(dy, w, settings) : undefined,
      needed(1) ? op.ConvGrad(x, dy, w, settings)[1] : undefined,
      needed(2) ? op.sum(dy, axes) : undefined,
    ];
  },
});
