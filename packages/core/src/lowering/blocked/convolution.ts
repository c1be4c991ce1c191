import { type Window, windowOf } from '../../graph/shapes/compute.js';
import { elementCount, int, type Value } from '../../graph/value.js';
import { type LoweringContext, type LoweringRules, lowerings } from '../rule.js';
import { arrangeFilters, type Convolution, type Form, formOf } from './filters.js';
import {
  asPlane,
  blocksOf,
  convolveBlocks,
  fromBlocks,
  type Layout,
  planeShape,
} from './layout.js';
import { weightGradient } from './weight-gradient.js';
import { isWorthwhile } from './worth.js';

/** Places of all samples together from which on more is gained than it takes to rearrange the filters. */
const fewestPlaces = 256;

/** Convolutions by the kernels that ONNX Runtime has for channels in blocks (its domain com.microsoft.nchwc). Its optimizer
 *  takes them for constant weights alone, whose filters it rearranges once and for all; those of a step change, and are
 *  rearranged in it.
 *  @param block channels of a block, which depends on the processor */
export function blockedConvolution(block: number): LoweringRules {
  return lowerings({
    Conv: (context) => {
      const { x, attributes, has } = context;
      const [image, filters] = x;
      const window = windowOf(attributes, image.shape.slice(2), filters.shape.slice(2));
      const group = int(attributes, 'group', 1);
      const forward = { ...window, image, filters, group, turned: false };
      const blocks = blocksOf(context, block);
      return convolve(context, forward, { block, blocks, bias: has(2) ? x[2] : undefined });
    },
    // What is not found here has a rule of its own.
    ConvGrad: (context) => {
      const { op, x, attributes, needed } = context;
      const layout = { block, blocks: blocksOf(context, block) };
      const dx = needed(0) ? inputGradient(context, layout) : undefined;
      const dw = needed(1) ? weightGradient(context, layout) : undefined;
      if (dx === undefined && dw === undefined) return undefined;
      const given = Object.entries(attributes).map(([name, { value }]) => [name, value]);
      const found = [dx, dw];
      const rest = op.ConvGrad(x[0], x[1], x[2], Object.fromEntries(given));
      return rest.map((value, i) => (needed(i) ? (found[i] ?? value) : undefined));
    },
  });
}

function inputGradient(context: LoweringContext, layout: Layout): Value | undefined {
  const { x, attributes } = context;
  const [dy, image, filters] = x;
  const spatial = image.shape.slice(2);
  const window = adjointOf(windowOf(attributes, spatial, filters.shape.slice(2)), spatial);
  if (window === undefined) return undefined;
  const group = int(attributes, 'group', 1);
  return convolve(context, { ...window, image: dy, filters, group, turned: true }, layout);
}

/** The convolution of dY that gives the gradient of an image of this size; undefined where that is none. */
function adjointOf(window: Window, spatial: readonly number[]): Window | undefined {
  const { kernel, strides, dilations, pads, output } = window;
  const reach = kernel.map((k, i) => (dilations[i] ?? 1) * (k - 1));
  const before = reach.map((r, i) => r - (pads[i] ?? 0));
  const after = spatial.map((dim, i) => dim + (pads[i] ?? 0) - (output[i] ?? 0));
  const turned = [...before, ...after];
  if (strides.some((stride) => stride !== 1) || turned.some((pad) => pad < 0)) return undefined;
  return { kernel, strides, dilations, pads: turned, output: spatial };
}

/** What comes out, in the usual layout; undefined where the kernels cannot do it, or gain nothing. */
function convolve(
  context: LoweringContext,
  convolution: Convolution,
  { block, blocks, bias }: Layout & { readonly bias?: Value | undefined },
): Value | undefined {
  const { op } = context;
  const { image, filters, group, turned, output } = convolution;
  const form = formOf(convolution, block);
  if (form === undefined || !pays(convolution, form)) return undefined;
  const plane = { ...convolution, ...asPlane(convolution) };
  const arranged = arrangeFilters(op, plane, form, block);
  const flat = op.reshape(image, planeShape(image.shape));
  const whole = form === 'direct' ? flat : blocks(flat);
  const groups = form === 'depthwise' ? (arranged.shape[0] ?? 0) : group;
  const [all = 0, channels = 0] = filters.shape;
  const missing = (arranged.shape[0] ?? 0) - (bias?.shape[0] ?? 0);
  const biases = bias && missing > 0 ? op.Pad(bias, op.ints([0, missing])) : bias;
  const y = convolveBlocks(context, [whole, arranged, biases], plane, groups);
  const back = fromBlocks(context, y, turned ? channels * group : all);
  return op.reshape(back, [...back.shape.slice(0, 2), ...output]);
}

/** Measured on cpu, with all rearranging: 0.6 to 0.85 of the time of Conv or ConvTranspose where a kernel has more than one
 *  place, a fifth to a third with one filter per channel; nothing gained for kernels of one place. */
function pays({ image, filters, output, kernel }: Convolution, form: Form): boolean {
  const places = (image.shape[0] ?? 0) * elementCount(output);
  const products = places * elementCount(filters.shape);
  return (
    isWorthwhile({ image, kernel, products }) && (form === 'depthwise' || places >= fewestPlaces)
  );
}
