import { transposedWindowOf, type Window, windowOf } from '../../graph/shapes/compute.js';
import { int, ints, type PlainAttributes } from '../../graph/value.js';
import { type GradientContext, rules } from '../rule.js';

/** The attributes of a convolution or pooling with nothing left to defaults: ORT's gradient kernels know
 *  `pads` only, not `auto_pad`. */
export function explicitWindow(window: Omit<Window, 'output'>): PlainAttributes {
  return {
    kernel_shape: { type: 'ints', value: window.kernel },
    strides: { type: 'ints', value: window.strides },
    dilations: { type: 'ints', value: window.dilations },
    pads: { type: 'ints', value: window.pads },
  };
}

function convolution({ dy, x: [x, w], attributes, emit }: GradientContext) {
  const kernel = ints(attributes, 'kernel_shape') ?? w.shape.slice(2);
  const window = explicitWindow(windowOf(attributes, x.shape.slice(2), kernel));
  const group = { type: 'int', value: int(attributes, 'group', 1) } as const;
  return emit('ConvGrad', [dy, x, w], { ...window, group });
}

/** A transposed convolution is the adjoint of the convolution with the same weight: dX is that convolution of
 *  dY, and dW its weight gradient, with dY as the input and X as the gradient of the output. */
function transposed(context: GradientContext) {
  const { dy, x, y, attributes, emit, has, op } = context;
  const kernel = ints(attributes, 'kernel_shape') ?? x[1].shape.slice(2);
  const [before, after] = [x[0].shape.slice(2), y.shape.slice(2)];
  const group = { type: 'int', value: int(attributes, 'group', 1) } as const;
  const window = {
    ...explicitWindow(transposedWindowOf(attributes, before, kernel, after)),
    group,
  };
  const [dx] = emit('Conv', [dy, x[1]], window);
  const [, dw] = emit('ConvGrad', [x[0], dy, x[1]], window);
  const others = dy.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  return [dx, dw, has(2) ? op.sum(dy, others) : null];
}

export const convolutions = rules({ Conv: convolution, ConvTranspose: transposed });
