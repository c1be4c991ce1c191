import { GradwareError } from '../../errors.js';
import { tensorOf } from '../../graph/constants.js';
import {
  interpolationMatrix,
  interpolationOf,
  resizeBack,
  resizedAxes,
} from '../../graph/interpolation.js';
import { elementCount, int, type Value } from '../../graph/value.js';
import { type LoweringContext, lowerings } from '../rule.js';

/** (dY, X, region?, scales?) → dX: one product with a constant matrix for each axis that was resized. */
function resizeGrad({
  op,
  x: [dy, x, region, scales],
  has,
  constant,
  attributes,
  node,
}: LoweringContext) {
  const axes = resizedAxes(attributes, x.shape.length);
  const factors = has(3) ? constant(scales) : axes.map((axis) => sizeRatio(dy, x, axis));
  const cropped = has(2) ? constant(region) : [];
  return axes.reduce((gradient, axis, i) => {
    const interpolation =
      factors &&
      cropped &&
      interpolationOf(attributes, {
        input: x.shape[axis] ?? 0,
        output: dy.shape[axis] ?? 0,
        scale: Math.fround(factors[i] ?? 1),
        region: [cropped[i] ?? 0, cropped[i + axes.length] ?? 1],
      });
    if (interpolation !== undefined) return resizeBack(op, gradient, axis, interpolation);
    throw new GradwareError('NO_LOWERING', 'How this Resize interpolates is not known', {
      where: `node ${node.name}`,
      remedy: 'Give its mode as ONNX names it, and its region and scales as constants.',
    });
  }, dy);
}

function sizeRatio(dy: Value, x: Value, axis: number): number {
  return (dy.shape[axis] ?? 1) / (x.shape[axis] ?? 1);
}

/** webgpu's kernel has no antialiasing: one product with a constant matrix for each axis. */
function resize({
  op,
  x: [x, , scales],
  y: [y],
  attributes,
  has,
  constant,
  provider,
}: LoweringContext) {
  if (provider !== 'webgpu' || int(attributes, 'antialias', 0) === 0) return undefined;
  const axes = resizedAxes(attributes, x.shape.length);
  const factors = has(2) ? constant(scales) : axes.map((axis) => sizeRatio(y, x, axis));
  return axes.reduce<Value | undefined>((value, axis, i) => {
    const [input, output] = [x.shape[axis] ?? 0, y.shape[axis] ?? 0];
    const scale = Math.fround(factors?.[i] ?? 1);
    const found = interpolationOf(attributes, { input, output, scale, region: [0, 1] });
    if (value === undefined || found === undefined || factors === undefined) return undefined;
    const { shape } = value;
    const [before, after] = [shape.slice(0, axis), shape.slice(axis + 1)];
    const matrix = tensorOf(x.type, Array.from(interpolationMatrix(found)), [output, input]);
    const flat = op.reshape(value, [elementCount(before), input, elementCount(after)]);
    return op.reshape(op.MatMul(op.constant(matrix), flat), [...before, output, ...after]);
  }, x);
}

export const resizing = lowerings({ Resize: resize, ResizeGrad: resizeGrad });
