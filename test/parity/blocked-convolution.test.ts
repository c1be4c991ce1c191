import { expect, test } from 'vitest';
import { blockedDomain } from '../../packages/core/src/graph/dialect.js';
import { windowOf } from '../../packages/core/src/graph/shapes/compute.js';
import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import { blockedConvolution } from '../../packages/core/src/lowering/blocked/convolution.js';
import { nodeRuntime } from '../../packages/core/src/node.js';
import { expectClose, generator, like } from '../support/compare.js';
import { convGradient } from '../support/conv-gradient.js';
import { layLowered, runLaid } from '../support/lowering.js';
import { runOracleNode } from '../support/ort-training.js';

interface Geometry {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Attributes;
  /** What goes by blocks of 8 or 16 channels: the convolution, the gradient of its input, that of its weight. */
  readonly blocked: readonly ('y' | 'dx' | 'dw')[];
}

const all = ['y', 'dx', 'dw'] as const;
const same = { pads: [1, 1, 1, 1] };

const geometries: readonly Geometry[] = [
  { x: [16, 16, 8, 8], w: [32, 16, 3, 3], attributes: same, blocked: all },
  { x: [32, 16, 9, 7], w: [32, 16, 2, 3], attributes: { pads: [0, 2, 1, 0] }, blocked: all },
  { x: [16, 16, 12, 9], w: [32, 16, 3, 3], attributes: { dilations: [2, 1] }, blocked: all },
  {
    x: [16, 32, 9, 9],
    w: [16, 32, 3, 3],
    attributes: { pads: [3, 0, 0, 3] },
    blocked: ['y', 'dw'],
  },
  // A batch that fills its blocks not quite, too little, and none.
  { x: [28, 16, 8, 8], w: [16, 16, 3, 3], attributes: same, blocked: all },
  { x: [36, 16, 6, 6], w: [32, 16, 3, 3], attributes: same, blocked: ['y', 'dx'] },
  { x: [30, 16, 6, 6], w: [32, 16, 3, 3], attributes: same, blocked: ['y', 'dx'] },
  { x: [5, 16, 9, 9], w: [32, 16, 3, 3], attributes: same, blocked: all },
  { x: [1, 32, 20, 20], w: [16, 32, 3, 3], attributes: same, blocked: all },
  // Strides that fit, and that leave a rest of the image over.
  {
    x: [16, 16, 9, 9],
    w: [32, 16, 3, 3],
    attributes: { strides: [2, 2], ...same },
    blocked: ['y', 'dw'],
  },
  { x: [16, 16, 12, 12], w: [32, 16, 3, 3], attributes: { strides: [2, 3] }, blocked: ['y', 'dw'] },
  { x: [16, 16, 12, 12], w: [64, 16, 3, 3], attributes: { strides: [2, 2] }, blocked: ['y', 'dw'] },
  { x: [3, 16, 24, 25], w: [32, 16, 3, 2], attributes: { strides: [2, 3] }, blocked: ['y', 'dw'] },
  // Few channels: a first layer, a last one.
  {
    x: [16, 3, 14, 14],
    w: [16, 3, 5, 5],
    attributes: { pads: [2, 2, 2, 2] },
    blocked: ['y', 'dw'],
  },
  { x: [16, 1, 20, 20], w: [32, 1, 3, 3], attributes: same, blocked: ['y', 'dw'] },
  { x: [16, 16, 14, 14], w: [3, 16, 5, 5], attributes: { pads: [2, 2, 2, 2] }, blocked: ['dx'] },
  { x: [16, 24, 12, 12], w: [20, 24, 3, 3], attributes: same, blocked: [] },
  // Groups.
  { x: [16, 64, 7, 7], w: [64, 32, 3, 3], attributes: { group: 2, ...same }, blocked: all },
  { x: [8, 32, 16, 16], w: [32, 1, 3, 3], attributes: { group: 32, ...same }, blocked: all },
  { x: [8, 20, 20, 20], w: [20, 1, 3, 3], attributes: { group: 20, ...same }, blocked: all },
  {
    x: [5, 32, 24, 19],
    w: [32, 1, 5, 3],
    attributes: { group: 32, pads: [2, 1, 0, 0] },
    blocked: all,
  },
  {
    x: [8, 32, 24, 24],
    w: [32, 1, 3, 5],
    attributes: { group: 32, dilations: [2, 3] },
    blocked: all,
  },
  {
    x: [16, 32, 25, 25],
    w: [32, 1, 3, 3],
    attributes: { group: 32, strides: [2, 2] },
    blocked: ['y', 'dw'],
  },
  { x: [8, 32, 16, 16], w: [64, 1, 3, 3], attributes: { group: 32, ...same }, blocked: [] },
  // One axis.
  { x: [16, 16, 60], w: [32, 16, 5], attributes: { pads: [2, 2] }, blocked: all },
  {
    x: [12, 32, 99],
    w: [32, 32, 4],
    attributes: { strides: [3], dilations: [2] },
    blocked: ['y', 'dw'],
  },
  { x: [32, 32, 128], w: [32, 1, 7], attributes: { group: 32, pads: [6, 0] }, blocked: all },
];

const random = generator(29);
const { channelBlock } = await nodeRuntime.device('cpu');
const rules = channelBlock === undefined ? undefined : blockedConvolution(channelBlock);

function given({ x, w, attributes = {} }: Geometry) {
  const kernel = w.slice(2);
  const window = windowOf(toAttributes(attributes), x.slice(2), kernel);
  const y = [x[0] ?? 0, w[0] ?? 0, ...window.output];
  const { pads, strides, dilations } = window;
  const group = Number(attributes.group ?? 1);
  const settings: Attributes = { kernel_shape: kernel, pads, strides, dilations, group };
  return {
    window,
    y,
    group,
    settings,
    inputs: [random(...y), random(...x), random(...w)] as const,
  };
}

const name = ({ x, w, attributes }: Geometry) =>
  `[${x}] [${w}] ${JSON.stringify(attributes ?? {})}`;

/** Lowered for this processor; what it gives, and how many convolutions go by blocks. */
async function run(node: Omit<Parameters<typeof layLowered>[0], 'rules'>) {
  const laid = layLowered({ ...node, rules });
  const outputs = await runLaid(laid, node);
  const count = laid.nodes.filter(
    ({ domain, opType }) => domain === blockedDomain && opType === 'Conv',
  ).length;
  return { outputs, count };
}

test.skipIf(rules === undefined).each(geometries.map((geometry) => [name(geometry), geometry]))(
  'the convolution of %s',
  async (_, geometry) => {
    const { y, settings: attributes, inputs } = given(geometry as Geometry);
    const [, x, w] = inputs;
    const node = {
      opType: 'Conv',
      inputs: [x, w, random(w.dims[0] ?? 0)],
      attributes,
      outputs: [{ type: 'float32', shape: y }],
    } as const;
    const { outputs, count } = await run(node);
    const plain = layLowered(node);
    const [wanted] = await runLaid(plain, node);
    expect(count).toBe((geometry as Geometry).blocked.includes('y') ? 1 : 0);
    expectClose(outputs[0], wanted, 3e-6);
  },
);

test.skipIf(rules === undefined).each(geometries.map((geometry) => [name(geometry), geometry]))(
  'the gradients of %s',
  async (_, geometry) => {
    const { window, group, settings: attributes, inputs } = given(geometry as Geometry);
    const [dy, x, w] = inputs;
    const bias = { type: 'float32', shape: [w.dims[0] ?? 0] } as const;
    const node = {
      opType: 'ConvGrad',
      inputs,
      attributes,
      outputs: [like(x), like(w), bias],
    } as const;
    const { outputs, count } = await run(node);
    const { blocked } = geometry as Geometry;
    expect(count).toBe(blocked.filter((output) => output !== 'y').length);
    // ONNX Runtime's own kernel, where it does not read memory that is not its own.
    const wanted =
      window.kernel.length === 2
        ? await runOracleNode(node)
        : convGradient([dy, x, w], window, group);
    outputs.forEach((output, i) => {
      expectClose(output, wanted[i], 1e-5);
    });
  },
);
