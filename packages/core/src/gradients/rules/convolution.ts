import { type Window, windowOf } from '../../graph/shapes/compute.js';
import { int, ints, type PlainAttributes, text } from '../../graph/value.js';
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

/** Where a transposed convolution crops its output: from `pads`, or shared out by `auto_pad` and `output_shape`. */
function transposedWindow({ x: [x, w], y, attributes }: GradientContext) {
  const spatial = x.shape.slice(2);
  const kernel = ints(attributes, 'kernel_shape') ?? w.shape.slice(2);
  const strides = ints(attributes, 'strides') ?? spatial.map(() => 1);
  const dilations = ints(attributes, 'dilations') ?? spatial.map(() => 1);
  const extra = ints(attributes, 'output_padding') ?? [];
  const mode = text(attributes, 'auto_pad', 'NOTSET');
  const given = ints(attributes, 'pads');
  const shared = mode.startsWith('SAME') || attributes.output_shape !== undefined;
  const total = spatial.map((dim, i) => {
    const extent = (dilations[i] ?? 1) * ((kernel[i] ?? 1) - 1) + 1;
    const full = (strides[i] ?? 1) * (dim - 1) + (extra[i] ?? 0) + extent;
    return Math.max(0, full - (y.shape[i + 2] ?? 0));
  });
  const half = total.map((t) => (mode === 'SAME_UPPER' ? Math.floor(t / 2) : Math.ceil(t / 2)));
  const begin = shared ? half : spatial.map((_, i) => given?.[i] ?? 0);
  const pads = [...begin, ...total.map((t, i) => t - (begin[i] ?? 0))];
  return { kernel, strides, dilations, pads };
}

/** A transposed convolution is the adjoint of the convolution with the same weight: dX is that convolution of
 *  dY, and dW its weight gradient, with dY as the input and X as the gradient of the output. */
function transposed(context: GradientContext) {
  const { dy, x, attributes, emit, has, op } = context;
  const group = { type: 'int', value: int(attributes, 'group', 1) } as const;
  const window = { ...explicitWindow(transposedWindow(context)), group };
  const [dx] = emit('Conv', [dy, x[1]], window);
  const [, dw] = emit('ConvGrad', [x[0], dy, x[1]], window);
  const others = dy.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  return [dx, dw, has(2) ? op.sum(dy, others) : null];
}

export const convolutions = rules({ Conv: convolution, ConvTranspose: transposed });
