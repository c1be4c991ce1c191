import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { plainNumbers } from '../graph/constants.js';
import { carriesQuantized, quantizes } from '../graph/quantization.js';
import { knownScan } from '../graph/scan.js';
import { fittingInputs, ShapeProblem } from '../graph/shapes/rule.js';
import { sameShape, type Value } from '../graph/value.js';
import { isFloatType } from '../onnx/element-types.js';
import type { DataType, Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import { mergeProducts } from './merge-products.js';
import { type GradientContext, noRuleRemedy, type Values } from './rule.js';
import { gradientRuleOf, isDifferentiable, takesGradientOf } from './rules/index.js';

/** Ops (Sign, Round, Floor, Ceil) whose straight-through estimate takes the place of a gradient of zero. */
export type StraightThrough = ReadonlySet<string> | undefined;

export function isFloat({ type }: { readonly type: DataType }): boolean {
  return isFloatType(type);
}

/** Whether an output depends on inputs that do: floats in and out, and quantized numbers from where they are made to
 *  where they become floats again. */
function staysActive(
  node: Node,
  output: number,
  isNumber: boolean,
  fromNumbers: boolean,
  fromQuantized: boolean,
): boolean {
  if (isNumber) return fromNumbers || (fromQuantized && node.opType === 'DequantizeLinear');
  if (fromNumbers && quantizes(node)) return output === 0;
  return fromQuantized && carriesQuantized(node);
}

/** Values that depend on some of `wrt` through differentiable edges, those themselves included. */
export function activeValues(
  builder: GraphBuilder,
  sorted: readonly Node[],
  wrt: Iterable<string>,
  straightThrough: StraightThrough,
): ReadonlySet<string> {
  const active = new Set(wrt);
  for (const node of sorted) {
    if (!isDifferentiable(node.opType, straightThrough)) continue;
    const used = usedNames(node).filter((name) => active.has(name));
    if (used.length === 0) continue;
    const isNumber = (name: string) => isFloat(builder.value(name));
    const fromNumbers = used.some(isNumber);
    const first = node.inputs[0] ?? '';
    const fromQuantized = active.has(first) && !isNumber(first);
    node.outputs.forEach((output, i) => {
      const value = builder.values.get(output);
      if (value && staysActive(node, i, isFloat(value), fromNumbers, fromQuantized))
        active.add(output);
    });
  }
  return active;
}

type Gradients = readonly (Value | undefined)[];

export interface Propagation {
  readonly builder: GraphBuilder;
  /** Forward nodes, each after those that it takes values from. */
  readonly sorted: readonly Node[];
  readonly active: ReadonlySet<string>;
  readonly straightThrough: StraightThrough;
  /** What the gradients of the last values are. */
  readonly contributions: ReadonlyMap<string, readonly Value[]>;
  /** The gradients of what a Scan uses, by name. */
  readonly scan?: (
    node: Node,
    dys: Gradients,
    active: ReadonlySet<string>,
  ) => ReadonlyMap<string, Value>;
}

export interface Propagated {
  /** The parts that the gradient of a value is the sum of. */
  readonly contributions: ReadonlyMap<string, readonly Value[]>;
  /** Whose gradient a summand is part of, by its name. */
  readonly parts: ReadonlyMap<string, string>;
  /** Their sum; undefined where no gradient arrives. */
  gradientOf(name: string): Value | undefined;
}

/** Reverse mode: nodes are visited from the last to the first; contributions to one value are summed. */
export function propagate(given: Propagation): Propagated {
  const { builder, sorted, active, straightThrough, scan } = given;
  const { op } = builder;
  const contributions = new Map(given.contributions);
  const parts = new Map<string, string>();

  const users = new Map<string, Node[]>();
  for (const node of sorted)
    for (const name of node.inputs) {
      const known = users.get(name);
      if (known === undefined) users.set(name, [node]);
      else known.push(node);
    }
  const usersOf = (name: string): readonly Node[] => users.get(name) ?? [];

  function gradientOf(name: string): Value | undefined {
    const summands = contributions.get(name);
    if (summands === undefined) return undefined;
    const [first, second] = summands;
    if (first === undefined || second === undefined) return first;
    const total = builder.scoped(`AccumulateGrad_${name}`, () => {
      const [only, ...others] = mergeProducts(builder, summands) ?? summands;
      return others.length === 0 ? (only as Value) : op.Sum(only, ...others);
    });
    contributions.set(name, [total]);
    return total;
  }

  function contribute(node: Node, name: string, gradient: Value | null | undefined): void {
    if (gradient === null || gradient === undefined || !active.has(name)) return;
    checkShape(node, builder.value(name), gradient);
    if (!parts.has(gradient.name)) parts.set(gradient.name, name);
    contributions.set(name, [...(contributions.get(name) ?? []), gradient]);
  }

  for (const node of [...sorted].reverse()) {
    const reached = node.outputs.some((output) => active.has(output));
    if (!reached || !isDifferentiable(node.opType, straightThrough)) continue;
    const dys = node.outputs.map((output) => (output === '' ? undefined : gradientOf(output)));
    if (dys.every((dy) => dy === undefined)) continue;
    builder.scoped(`${node.name || node.opType}_Grad`, () => {
      if (scan !== undefined && knownScan(builder, node) !== undefined)
        for (const [name, gradient] of scan(node, dys, active)) contribute(node, name, gradient);
      else {
        const results = backward(builder, node, dys, active, straightThrough, usersOf);
        node.inputs.forEach((name, i) => {
          contribute(node, name, results[i]);
        });
      }
    });
  }
  return { contributions, parts, gradientOf };
}

function backward(
  builder: GraphBuilder,
  node: Node,
  dys: Gradients,
  active: ReadonlySet<string>,
  straightThrough: StraightThrough,
  users: (name: string) => readonly Node[],
): readonly (Value | null | undefined)[] {
  const rule = gradientRuleOf(node, straightThrough);
  const lost = dys.findIndex((dy, i) => dy !== undefined && !takesGradientOf(node, i));
  if (rule === undefined || lost >= 0)
    throw new GradwareError(
      'NO_GRADIENT',
      `No gradient is known for ${rule ? `output ${lost} of ` : ''}${node.opType}`,
      { where: `node ${node.name}`, remedy: noRuleRemedy },
    );
  const lookUp = (name: string) => (name === '' ? undefined : builder.value(name));
  const ys = node.outputs.map(lookUp) as unknown as Values;
  const context: GradientContext = {
    dy: dys[0] as Value,
    dys,
    x: node.inputs.map(lookUp) as unknown as Values,
    y: ys[0],
    ys,
    attributes: node.attributes,
    node,
    op: builder.op,
    emit: builder.emit,
    builder,
    has: (i) => (node.inputs[i] ?? '') !== '',
    isUsedBy: (opType) => users(node.outputs[0] ?? '').some((user) => user.opType === opType),
    needs: (i) => active.has(node.inputs[i] ?? ''),
    constant: (i) => {
      const tensor = builder.constant(node.inputs[i] ?? '');
      return tensor && plainNumbers(tensor.data);
    },
  };
  try {
    return rule(context);
  } catch (error) {
    // Inputs that the rule of the op's own shape does not look at, and that do not fit.
    if (!(error instanceof ShapeProblem)) throw error;
    throw new GradwareError('INVALID_MODEL', `${node.opType}: ${error.message}`, {
      where: `node ${node.name}`,
      remedy: fittingInputs,
    });
  }
}

function checkShape(node: Node, value: Value, gradient: Value): void {
  // The gradient of a quantized number is that of the float that it stands for.
  const fits = value.type === gradient.type || (!isFloat(value) && isFloat(gradient));
  if (sameShape(value.shape, gradient.shape) && fits) return;
  throw new GradwareError(
    'NO_GRADIENT',
    `The gradient rule of ${node.opType} gives ${gradient.type}[${gradient.shape}] for ${value.type}[${value.shape}]`,
    { where: `node ${node.name}, input ${value.name}` },
  );
}
