import { GradwareError } from '../../errors.js';
import { int, text, type Value } from '../../graph/value.js';
import { type GradientContext, noRuleRemedy, rules } from '../rule.js';

/** ScatterElements or ScatterND with the node's indices, and the Gather that reads the same places. */
interface Places {
  scatter(data: Value, updates: Value, reduction?: string): Value;
  gather(data: Value): Value;
}

type Reduction = (context: GradientContext, places: Places) => readonly (Value | null)[];

/** Elements that are overwritten lose their gradient; what was written gets it. */
const overwritten: Reduction = ({ dy, x: [, , updates], op }, { scatter, gather }) => [
  scatter(dy, op.filled(updates, 0)),
  null,
  gather(dy),
];

/** The product of the others, also where factors are zero: with one zero among them only that one has a gradient,
 *  with two nothing has. */
const multiplied: Reduction = ({ dy, x: [data, , updates], op }, { scatter, gather }) => {
  const zero = (value: Value) => op.cast(op.Equal(value, 0), value.type);
  const [zeroData, zeroUpdates] = [zero(data), zero(updates)];
  const [plainData, plainUpdates] = [op.Add(data, zeroData), op.Add(updates, zeroUpdates)];
  const product = scatter(plainData, plainUpdates, 'mul');
  const zeros = scatter(zeroData, zeroUpdates, 'add');
  const share = (gradient: Value, whole: Value, plain: Value, all: Value, own: Value) =>
    op.Mul(gradient, op.Where(op.Equal(all, own), op.Div(whole, plain), 0));
  return [
    share(dy, product, plainData, zeros, zeroData),
    null,
    share(gather(dy), gather(product), plainUpdates, gather(zeros), zeroUpdates),
  ];
};

/** Equal extremes share the gradient equally. */
const extreme: Reduction = ({ dy, x: [data, , updates], y, op }, { scatter, gather }) => {
  const chosen = (value: Value, result: Value) => op.cast(op.Equal(value, result), value.type);
  const [fromData, fromUpdates] = [chosen(data, y), chosen(updates, gather(y))];
  const share = op.Div(dy, scatter(fromData, fromUpdates, 'add'));
  // A place that only NaN can explain has no candidate.
  return [op.Mul(share, fromData), null, op.Mul(gather(share), fromUpdates)];
};

const reductions: Readonly<Record<string, Reduction>> = {
  none: overwritten,
  add: ({ dy }, { gather }) => [dy, null, gather(dy)],
  mul: multiplied,
  max: extreme,
  min: extreme,
};

function reduced(context: GradientContext, places: Places): readonly (Value | null)[] {
  const name = text(context.attributes, 'reduction', 'none');
  const reduction = Object.hasOwn(reductions, name) ? reductions[name] : undefined;
  if (reduction === undefined)
    throw new GradwareError(
      'NO_GRADIENT',
      `${context.node.opType} with reduction "${name}" has no gradient`,
      { where: `node ${context.node.name}`, remedy: noRuleRemedy },
    );
  return reduction(context, places);
}

export const scattering = rules({
  ScatterElements: (context) => {
    const { x, attributes, op } = context;
    const axis = int(attributes, 'axis', 0);
    return reduced(context, {
      scatter: (data, updates, reduction) =>
        op.ScatterElements(data, x[1], updates, { axis, reduction }),
      gather: (data) => op.GatherElements(data, x[1], { axis }),
    });
  },
  ScatterND: (context) => {
    const { x, op } = context;
    return reduced(context, {
      scatter: (data, updates, reduction) => op.ScatterND(data, x[1], updates, { reduction }),
      gather: (data) => op.GatherND(data, x[1]),
    });
  },
});
