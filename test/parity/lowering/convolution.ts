import { tensorOf } from '../../../packages/core/src/graph/constants.js';
import { transposedWindowOf, windowOf } from '../../../packages/core/src/graph/shapes/compute.js';
import { type Attributes, toAttributes } from '../../../packages/core/src/graph/value.js';
import type { TensorData } from '../../../packages/core/src/onnx/ir.js';
import { generator, type LoweringCase, like, type Reference } from '../../support/compare.js';
import { convGradient } from '../../support/conv-gradient.js';
import { runOracleNode } from '../../support/ort-training.js';

const random = generator(13);
type Dims = readonly number[];

export interface Geometry {
  readonly x: Dims;
  readonly w: Dims;
  readonly attributes?: Attributes;
}

export const geometries: readonly Geometry[] = [
  { x: [2, 3, 6, 6], w: [4, 3, 3, 3] },
  { x: [2, 3, 6, 7], w: [4, 3, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { x: [2, 3, 6, 7], w: [4, 3, 2, 3], attributes: { pads: [0, 1, 2, 1] } },
  { x: [2, 3, 8, 9], w: [4, 3, 3, 3], attributes: { strides: [2, 2], pads: [1, 1, 1, 1] } },
  { x: [2, 3, 8, 9], w: [4, 3, 3, 2], attributes: { strides: [3, 2], pads: [0, 1, 1, 0] } },
  { x: [2, 3, 9, 9], w: [4, 3, 3, 3], attributes: { dilations: [2, 2], pads: [2, 1, 0, 1] } },
  { x: [2, 3, 9, 9], w: [4, 3, 3, 3], attributes: { dilations: [2, 1], strides: [2, 3] } },
  { x: [2, 3, 7, 7], w: [4, 3, 5, 5], attributes: { pads: [2, 2, 2, 2] } },
  { x: [3, 4, 5, 5], w: [6, 4, 1, 1] },
  { x: [3, 4, 5, 5], w: [6, 4, 1, 1], attributes: { strides: [2, 2] } },
  { x: [2, 4, 6, 6], w: [6, 2, 3, 3], attributes: { group: 2, pads: [1, 1, 1, 1] } },
  {
    x: [2, 4, 7, 6],
    w: [6, 2, 3, 3],
    attributes: { group: 2, strides: [2, 2], dilations: [1, 2] },
  },
  { x: [2, 4, 6, 6], w: [4, 1, 3, 3], attributes: { group: 4, pads: [1, 1, 1, 1] } },
  {
    x: [2, 4, 7, 8],
    w: [4, 1, 3, 3],
    attributes: { group: 4, strides: [2, 2], pads: [1, 0, 0, 1] },
  },
  { x: [2, 4, 6, 6], w: [8, 1, 3, 3], attributes: { group: 4 } },
  { x: [2, 3, 10], w: [4, 3, 3] },
  { x: [2, 3, 10], w: [4, 3, 3], attributes: { strides: [2], pads: [2, 1], dilations: [2] } },
  { x: [2, 4, 10], w: [4, 1, 4], attributes: { group: 4, pads: [1, 2] } },
  { x: [2, 2, 5, 4, 6], w: [3, 2, 2, 2, 2], attributes: { pads: [1, 0, 0, 0, 1, 1] } },
  { x: [1, 2, 5, 5, 6], w: [3, 2, 3, 2, 2], attributes: { strides: [2, 1, 2] } },
  // Many channels: both gradients take other forms.
  { x: [2, 32, 6, 7], w: [33, 32, 3, 3], attributes: { pads: [1, 2, 0, 1] } },
  { x: [2, 33, 7, 7], w: [32, 33, 3, 2], attributes: { dilations: [2, 1], pads: [2, 1, 1, 0] } },
  { x: [2, 32, 9], w: [32, 32, 3], attributes: { pads: [4, 1] } },
  { x: [2, 16, 6, 7], w: [4, 16, 3, 3], attributes: { pads: [1, 1, 1, 1] } },
  { x: [2, 17, 8, 9], w: [4, 17, 3, 2], attributes: { strides: [3, 2], pads: [0, 1, 1, 0] } },
  { x: [2, 16, 9, 9], w: [4, 16, 3, 3], attributes: { dilations: [2, 1], pads: [2, 1, 0, 1] } },
  { x: [3, 16, 5, 5], w: [6, 16, 1, 1], attributes: { strides: [2, 2] } },
  { x: [2, 16, 10], w: [4, 16, 3], attributes: { strides: [2], pads: [2, 1] } },
  { x: [1, 16, 4, 3, 4], w: [3, 16, 2, 2, 2], attributes: { strides: [2, 1, 1] } },
  {
    x: [1, 4, 5, 4, 5],
    w: [4, 2, 2, 2, 2],
    attributes: { strides: [2, 1, 2], pads: [0, 1, 0, 0, 0, 1], group: 2 },
  },
];

export function windowAt({ x, w, attributes = {} }: Geometry) {
  return windowOf(toAttributes(attributes), x.slice(2), w.slice(2));
}

export function inputsFor(geometry: Geometry): readonly [TensorData, TensorData, TensorData] {
  const { output } = windowAt(geometry);
  const dy = random(geometry.x[0] ?? 0, geometry.w[0] ?? 0, ...output);
  return [dy, random(...geometry.x), random(...geometry.w)];
}

const groupOf = ({ attributes = {} }: Geometry) => Number(attributes.group ?? 1);
const biasOf = (channels = 0) => ({ type: 'float32', shape: [channels] }) as const;

const convolutions = geometries.map((geometry): LoweringCase => {
  const inputs = inputsFor(geometry);
  const window = windowAt(geometry);
  const { kernel, pads, strides, dilations } = window;
  const group = groupOf(geometry);
  const given: Attributes = { kernel_shape: kernel, pads, strides, dilations, group };
  const reference: Reference = {
    by: 'definition',
    because: 'with one or three spatial axes its kernel reads memory that is not its own',
    outputs: () => convGradient(inputs, window, group),
  };
  return {
    opType: 'ConvGrad',
    inputs,
    attributes: given,
    outputs: [like(inputs[1]), like(inputs[2]), biasOf(geometry.w[0])],
    tolerance: 3e-6,
    ...(kernel.length !== 2 && { reference }),
  };
});

const padded = ['SAME_UPPER', 'SAME_LOWER', 'VALID'].map((auto_pad): LoweringCase => {
  const strides = [2, 1];
  const geometry = { x: [2, 3, 7, 6], w: [4, 3, 3, 4], attributes: { auto_pad, strides } };
  const inputs = inputsFor(geometry);
  const { pads } = windowAt(geometry);
  const shared = { kernel_shape: [3, 4], strides };
  const outputs = [like(inputs[1]), like(inputs[2]), biasOf(4)];
  const explicit = { ...shared, pads, dilations: [1, 1], group: 1 };
  return {
    opType: 'ConvGrad',
    inputs,
    attributes: { ...shared, auto_pad },
    outputs,
    reference: {
      by: 'its kernel with explicit pads',
      because: 'it takes auto_pad for no padding',
      outputs: () => runOracleNode({ opType: 'ConvGrad', inputs, outputs, attributes: explicit }),
    },
  };
});

interface Transposed {
  readonly x: Dims;
  readonly w: Dims;
  /** Spatial shape of the output. */
  readonly y: Dims;
  readonly attributes?: Attributes;
}

const transposedGeometries: readonly Transposed[] = [
  { x: [2, 3, 5], w: [3, 4, 3], y: [7] },
  { x: [2, 3, 5], w: [3, 4, 3], y: [11], attributes: { strides: [2] } },
  { x: [2, 3, 5], w: [3, 4, 3], y: [12], attributes: { strides: [2], output_padding: [1] } },
  { x: [2, 3, 4, 5], w: [3, 4, 3, 3], y: [6, 7] },
  { x: [2, 3, 4, 5], w: [3, 4, 3, 3], y: [4, 5], attributes: { pads: [1, 1, 1, 1] } },
  {
    x: [2, 3, 4, 5],
    w: [3, 4, 2, 3],
    y: [7, 9],
    attributes: { strides: [2, 2], pads: [1, 0, 0, 2] },
  },
  { x: [2, 3, 4, 5], w: [3, 4, 3, 2], y: [8, 7], attributes: { dilations: [2, 2] } },
  { x: [2, 4, 4, 4], w: [4, 2, 3, 3], y: [6, 6], attributes: { group: 2 } },
  { x: [2, 4, 4, 4], w: [4, 1, 3, 3], y: [9, 9], attributes: { group: 4, strides: [2, 2] } },
  {
    x: [2, 3, 4, 5],
    w: [3, 4, 3, 3],
    y: [8, 10],
    attributes: { strides: [2, 2], auto_pad: 'SAME_UPPER' },
  },
  {
    x: [2, 3, 4, 5],
    w: [3, 4, 3, 3],
    y: [8, 10],
    attributes: { strides: [2, 2], auto_pad: 'SAME_LOWER' },
  },
  {
    x: [2, 3, 4, 5],
    w: [3, 4, 4, 4],
    y: [9, 11],
    attributes: { strides: [2, 2], output_shape: [9, 11] },
  },
  { x: [1, 2, 3, 2, 3], w: [2, 3, 2, 2, 2], y: [4, 3, 4] },
  { x: [1, 2, 3, 2, 3], w: [2, 3, 2, 2, 2], y: [6, 3, 6], attributes: { strides: [2, 1, 2] } },
];

const transposed = transposedGeometries.map(({ x, w, y, attributes = {} }): LoweringCase => {
  const group = Number(attributes.group ?? 1);
  const channels = (w[1] ?? 0) * group;
  const inputs = [random(x[0] ?? 0, channels, ...y), random(...x), random(...w)] as const;
  const window = transposedWindowOf(toAttributes(attributes), x.slice(2), w.slice(2), y);
  return {
    opType: 'ConvTransposeGrad',
    inputs,
    attributes: { kernel_shape: w.slice(2), ...attributes },
    outputs: [like(inputs[1]), like(inputs[2]), biasOf(channels)],
    tolerance: 3e-6,
    reference: {
      by: 'definition',
      because: 'its kernel is on CUDA only',
      outputs: () => transposedGradient(inputs, { ...window, output: x.slice(2) }, group),
    },
  };
});

/** A transposed convolution is the adjoint of a convolution from its output to its input: dX comes by that, from the
 *  stock kernel, and dW as that convolution's. */
async function transposedGradient(
  [dy, x, w]: readonly [TensorData, TensorData, TensorData],
  window: ReturnType<typeof windowOf>,
  group: number,
): Promise<readonly (TensorData | undefined)[]> {
  const { kernel, strides, dilations, pads } = window;
  const [dx] = await runOracleNode({
    opType: 'Conv',
    inputs: [dy, w],
    attributes: { kernel_shape: kernel, strides, dilations, pads, group },
    outputs: [{ type: 'float32', shape: x.dims }],
  });
  const [, dw] = convGradient([x, dy, w], window, group);
  const [batch = 0, channels = 0, ...spatial] = dy.dims;
  const places = spatial.reduce((a, b) => a * b, 1);
  const db = Array.from({ length: channels }, (_, c) => {
    let sum = 0;
    for (let n = 0; n < batch; n++)
      for (let i = 0; i < places; i++) sum += Number(dy.data[(n * channels + c) * places + i]);
    return sum;
  });
  return [dx, dw, tensorOf('float32', db)];
}

export const convolution: readonly LoweringCase[] = [...convolutions, ...padded, ...transposed];
