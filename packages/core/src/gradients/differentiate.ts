import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { filled } from '../graph/constants.js';
import { decompose, decompositionOf } from '../graph/decompose/index.js';
import { sortNodes } from '../graph/order.js';
import { sameShape, type Value } from '../graph/value.js';
import type { DataType, Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import { mergeProducts } from './merge-products.js';
import type { Values } from './rule.js';
import { gradientRuleOf, isDifferentiable, takesGradientOf } from './rules/index.js';
import { stashOutputs } from './stash.js';
import { tidy } from './tidy.js';

const floats: ReadonlySet<DataType> = new Set<DataType>([
  'float32',
  'float16',
  'bfloat16',
  'float64',
]);

export interface Differentiated {
  /** The gradient of the loss itself: an initializer `<loss>_grad` of 1, as in ORT's artifacts. */
  readonly seed: Value;
  /** ∂loss/∂p for every name in `wrt`, with the type and shape of p. */
  readonly gradients: ReadonlyMap<string, Value>;
}

/** Ops (Sign, Round, Floor, Ceil) whose straight-through estimate takes the place of a gradient of zero. */
export type StraightThrough = ReadonlySet<string> | undefined;

/** Where gradients would have to flow and cannot. */
export interface GradientGaps {
  /** Nodes on the way from the loss to a parameter whose op has no gradient rule. */
  readonly withoutRule: readonly Node[];
  /** Nodes on the way from the loss to a parameter. */
  readonly onPath: readonly Node[];
  /** Parameters that no path of differentiable edges joins to the loss. */
  readonly unreachable: readonly string[];
}

interface Paths {
  readonly sorted: readonly Node[];
  /** Values that depend on a parameter through differentiable edges. */
  readonly active: ReadonlySet<string>;
}

function findPaths(
  builder: GraphBuilder,
  wrt: readonly string[],
  straightThrough: StraightThrough,
): Paths {
  const sorted = sortNodes(builder.nodes);
  const active = new Set(wrt);
  for (const node of sorted) {
    if (
      !isDifferentiable(node.opType, straightThrough) ||
      !usedNames(node).some((name) => active.has(name))
    )
      continue;
    for (const output of node.outputs) {
      const value = builder.values.get(output);
      if (value !== undefined && floats.has(value.type)) active.add(output);
    }
  }
  return { sorted, active };
}

/** Lists what stands between the loss and the parameters, without changing the graph. */
export function findGradientGaps(
  builder: GraphBuilder,
  loss: string,
  wrt: readonly string[],
  straightThrough?: StraightThrough,
): GradientGaps {
  const { sorted, active } = findPaths(builder, wrt, straightThrough);
  const wanted = new Set([loss]);
  const onPath: Node[] = [];
  for (const node of [...sorted].reverse()) {
    if (!node.outputs.some((output) => wanted.has(output) && active.has(output))) continue;
    if (!isDifferentiable(node.opType, straightThrough)) continue;
    onPath.push(node);
    for (const name of usedNames(node)) if (active.has(name)) wanted.add(name);
  }
  const withoutRule = onPath.filter(
    (node) =>
      gradientRuleOf(node, straightThrough) === undefined && decompositionOf(node) === undefined,
  );
  const unreachable = wrt.filter((name) => !wanted.has(name));
  return { withoutRule, unreachable, onPath };
}

function refuseGaps({ withoutRule }: GradientGaps): void {
  if (withoutRule.length > 0) {
    const ops = [...new Set(withoutRule.map((node) => node.opType))];
    throw new GradwareError('NO_GRADIENT', `No gradient is known for ${ops.join(', ')}`, {
      where: withoutRule.map((node) => `${node.opType} node ${node.name}`).join('; '),
      remedy: 'Freeze the parameters below these nodes, or export the model with other ops.',
    });
  }
}

function refuseUnreachable({ unreachable }: GradientGaps): void {
  if (unreachable.length > 0)
    throw new GradwareError(
      'UNREACHABLE_PARAMETER',
      `The loss does not depend on ${unreachable.join(', ')}`,
      {
        remedy: 'Freeze these parameters, or make them part of what the loss is computed from.',
      },
    );
}

/** Takes apart what has a decomposition in place of a rule, until nothing on the way from the loss is left to.
 *  Only the graph as it was given is asked whether it reaches every parameter: a recurrence of one step uses no
 *  recurrent weight, and its gradient is zero. */
function decomposeAll(
  builder: GraphBuilder,
  loss: string,
  wrt: readonly string[],
  straightThrough: StraightThrough,
): GradientGaps {
  const given = findGradientGaps(builder, loss, wrt, straightThrough);
  refuseGaps(given);
  refuseUnreachable(given);
  for (;;) {
    const gaps = findGradientGaps(builder, loss, wrt, straightThrough);
    refuseGaps(gaps);
    const whole = gaps.onPath.filter((node) => decompositionOf(node) !== undefined);
    if (whole.length === 0) return gaps;
    decompose(builder, new Set(whole));
  }
}

/** Writes the backward pass of `loss` (a scalar) into the builder, in ORT's training dialect.
 *  Reverse mode: nodes are visited from the last to the first; contributions to one value are summed. */
export function differentiate(
  builder: GraphBuilder,
  loss: Value,
  wrt: readonly string[],
  straightThrough?: StraightThrough,
): Differentiated {
  const gaps = decomposeAll(builder, loss.name, wrt, straightThrough);
  const vanished = new Set(gaps.unreachable);
  stashOutputs(builder, new Set(gaps.onPath));
  const { sorted, active } = findPaths(builder, wrt, straightThrough);
  const { op } = builder;
  const seed = builder.initializer(`${loss.name}_grad`, filled(loss.type, loss.shape, 1));
  const contributions = new Map<string, readonly Value[]>([[loss.name, [seed]]]);
  const mark = builder.nodes.length;

  function gradientOf(name: string): Value | undefined {
    const parts = contributions.get(name);
    if (parts === undefined) return undefined;
    const [first, second] = parts;
    if (first === undefined || second === undefined) return first;
    const total = builder.scoped(`AccumulateGrad_${name}`, () => {
      const [only, ...others] = mergeProducts(builder, parts) ?? parts;
      return others.length === 0 ? (only as Value) : op.Sum(only, ...others);
    });
    contributions.set(name, [total]);
    return total;
  }

  for (const node of [...sorted].reverse()) {
    const reached = node.outputs.some((output) => active.has(output));
    if (!reached || !isDifferentiable(node.opType, straightThrough)) continue;
    const dys = node.outputs.map((output) => (output === '' ? undefined : gradientOf(output)));
    if (dys.every((dy) => dy === undefined)) continue;
    const results = builder.scoped(`${node.name || node.opType}_Grad`, () =>
      backward(builder, node, dys, active, straightThrough),
    );
    node.inputs.forEach((name, i) => {
      const gradient = results[i];
      if (gradient === null || gradient === undefined || !active.has(name)) return;
      checkShape(node, builder.value(name), gradient);
      contributions.set(name, [...(contributions.get(name) ?? []), gradient]);
    });
  }

  const gradients = new Map<string, Value>();
  for (const name of wrt) {
    const gradient = vanished.has(name) ? op.zeros(builder.value(name)) : gradientOf(name);
    if (gradient === undefined)
      throw new GradwareError('UNREACHABLE_PARAMETER', `No gradient reaches ${name}`, {
        remedy: 'Freeze this parameter.',
      });
    gradients.set(name, gradient);
  }
  const totals = [...contributions].flatMap(([name, [total]]) =>
    total === undefined ? [] : ([[name, total]] as const),
  );
  const named = tidy(builder, mark, new Map(totals), gradients);
  return { seed, gradients: named };
}

function backward(
  builder: GraphBuilder,
  node: Node,
  dys: readonly (Value | undefined)[],
  active: ReadonlySet<string>,
  straightThrough: StraightThrough,
): readonly (Value | null | undefined)[] {
  const rule = gradientRuleOf(node, straightThrough);
  const lost = dys.findIndex((dy, i) => dy !== undefined && !takesGradientOf(node, i));
  if (rule === undefined || lost >= 0)
    throw new GradwareError(
      'NO_GRADIENT',
      `No gradient is known for ${rule ? `output ${lost} of ` : ''}${node.opType}`,
      { where: `node ${node.name}` },
    );
  const lookUp = (name: string) => (name === '' ? undefined : builder.value(name));
  const ys = node.outputs.map(lookUp) as unknown as Values;
  return rule({
    dy: dys[0] as Value,
    dys,
    x: node.inputs.map(lookUp) as unknown as Values,
    y: ys[0],
    ys,
    attributes: node.attributes,
    node,
    op: builder.op,
    emit: builder.emit,
    has: (i) => (node.inputs[i] ?? '') !== '',
    needs: (i) => active.has(node.inputs[i] ?? ''),
    constant: (i) => {
      const tensor = builder.constant(node.inputs[i] ?? '');
      return tensor && Array.from(tensor.data as ArrayLike<number | bigint>, Number);
    },
  });
}

function checkShape(node: Node, value: Value, gradient: Value): void {
  if (sameShape(value.shape, gradient.shape) && value.type === gradient.type) return;
  throw new GradwareError(
    'NO_GRADIENT',
    `The gradient rule of ${node.opType} gives ${gradient.type}[${gradient.shape}] for ${value.type}[${value.shape}]`,
    { where: `node ${node.name}, input ${value.name}` },
  );
}
