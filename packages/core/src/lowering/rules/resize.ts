import { GradwareError } from '../../errors.js';
import { interpolationOf, resizeBack, resizedAxes } from '../../graph/interpolation.js';
import type { Value } from '../../graph/value.js';
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

export const resizing = lowerings({ ResizeGrad: resizeGrad });
