import { GradwareError } from '../../errors.js';
import {
  type Interpolation,
  interpolationOf,
  resizeBack,
  resizedAxes,
} from '../../graph/interpolation.js';
import { text } from '../../graph/value.js';
import { type GradientContext, known, noRuleRemedy, rules } from '../rule.js';

/** The scale of each axis in `axes`: given, or from the sizes, which may be only bounds. */
function scalesOf(context: GradientContext, axes: readonly number[]): readonly number[] {
  const { x, y, has, attributes } = context;
  if (has(2)) return known(context, 2).map(Math.fround);
  const sizes = known(context, 3);
  const ratios = axes.map((axis, i) => (sizes[i] ?? 1) / (x[0].shape[axis] ?? 1));
  const policy = text(attributes, 'keep_aspect_ratio_policy', 'stretch');
  if (policy === 'not_larger') return ratios.map(() => Math.min(...ratios));
  if (policy === 'not_smaller') return ratios.map(() => Math.max(...ratios));
  return axes.map((axis) => (y.shape[axis] ?? 1) / (x[0].shape[axis] ?? 1));
}

function interpolations(context: GradientContext): ReadonlyMap<number, Interpolation> {
  const { x, y, attributes, node } = context;
  const { shape } = x[0];
  const axes = resizedAxes(attributes, shape.length);
  const coordinates = text(attributes, 'coordinate_transformation_mode', 'half_pixel');
  const scales = scalesOf(context, axes);
  const region = coordinates === 'tf_crop_and_resize' ? known(context, 1) : [];
  return new Map(
    axes.map((axis, i) => {
      const interpolation = interpolationOf(attributes, {
        input: shape[axis] ?? 0,
        output: y.shape[axis] ?? 0,
        scale: scales[i] ?? 1,
        region: [region[i] ?? 0, region[i + axes.length] ?? 1],
      });
      if (interpolation === undefined)
        throw new GradwareError('NO_GRADIENT', `No gradient is known for this Resize`, {
          where: `node ${node.name}, mode ${text(attributes, 'mode', 'nearest')}, ${coordinates}`,
          remedy: noRuleRemedy,
        });
      return [axis, interpolation] as const;
    }),
  );
}

export const resizing = rules({
  // Interpolation is linear, and a product of one matrix for each axis.
  Resize: (context) => [
    [...interpolations(context)].reduce(
      (gradient, [axis, interpolation]) => resizeBack(context.op, gradient, axis, interpolation),
      context.dy,
    ),
  ],
});
