import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { elementCount, float, text, type Value } from '../../graph/value.js';
import type { LoweringContext } from '../rule.js';

/** A recurrent op of ORT's training dialect, its only direction, as matrices. Values of all steps are rows:
 *  [steps · batch, columns], so that whatever does not wait for the step before is one product. */
export interface Recurrence {
  readonly op: Op;
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  readonly x: Value;
  /** [gates · hidden, input], [gates · hidden, hidden]. */
  readonly w: Value;
  readonly r: Value;
  /** An input as a matrix of `columns`; undefined where it is left out. */
  optional(i: number, columns: number): Value | undefined;
  rows(value: Value): Value;
  perStep(value: Value | undefined): readonly (Value | undefined)[];
  stack(parts: readonly Value[]): Value;
}

export function recurrence(context: LoweringContext, activations: readonly string[]): Recurrence {
  refuseVariants(context, activations);
  const { op, x, has } = context;
  const [data, w, r] = x;
  const [steps = 0, batch = 0, features = 0] = data.shape;
  const hidden = r.shape[2] ?? 0;
  const columnsOf = (value: Value) => value.shape.at(-1) ?? 0;
  const rows = (value: Value) => op.reshape(value, [steps * batch, columnsOf(value)]);
  return {
    op,
    steps,
    batch,
    hidden,
    x: op.reshape(data, [steps * batch, features]),
    w: op.reshape(w, w.shape.slice(1)),
    r: op.reshape(r, r.shape.slice(1)),
    optional(i, columns) {
      if (!has(i)) return undefined;
      const value = x[i] as Value;
      return op.reshape(value, [elementCount(value.shape) / columns, columns]);
    },
    rows,
    perStep(value) {
      if (value === undefined) return Array.from({ length: steps }, () => undefined);
      const all = rows(value);
      return steps === 1 ? [all] : op.Split(all, { axis: 0, num_outputs: steps });
    },
    stack: (parts) => (parts.length === 1 ? (parts[0] as Value) : op.Concat(...parts, { axis: 0 })),
  };
}

/** What ORT's own kernels refuse. */
function refuseVariants(context: LoweringContext, activations: readonly string[]): void {
  const { attributes, has, node, x } = context;
  const named = attributes.activations;
  const given = named?.type === 'strings' ? named.value : activations;
  const plain = given.join().toLowerCase() === activations.join();
  const reasons: readonly (readonly [boolean, string])[] = [
    [text(attributes, 'direction', 'forward') !== 'forward', 'a direction other than forward'],
    [has(node.opType === 'LSTMGrad' ? 3 : 4), 'sequence lengths'],
    [!plain, `the activations ${given.join(', ')}`],
    [float(attributes, 'clip', 0) !== 0, 'clip'],
    [x[0].shape[0] === 0, 'a sequence without steps'],
  ];
  const reason = reasons.find(([applies]) => applies)?.[1];
  if (reason === undefined) return;
  throw new GradwareError('NO_LOWERING', `${node.opType} cannot have ${reason}`, {
    where: `node ${node.name}`,
    remedy: 'Generate the artifacts from a forward model with Gradware, which trains it as it is.',
  });
}

export function plus(op: Op, a: Value | undefined, b: Value | undefined): Value | undefined {
  return a && b ? op.Add(a, b) : (a ?? b);
}

/** Columns [from, to) of blocks that are `hidden` wide. */
export function block(
  { op, hidden }: Recurrence,
  value: Value,
  from: number,
  to = from + 1,
): Value {
  return op.slice(value, 1, from * hidden, to * hidden);
}

/** The states before each step: the initial one, then all but the last. */
export function before(s: Recurrence, all: Value, initial: Value | undefined): Value {
  const { op, steps, batch, hidden } = s;
  const first = initial ?? op.zeros({ type: all.type, shape: [batch, hidden] });
  return steps === 1
    ? first
    : op.Concat(first, op.slice(all, 0, 0, (steps - 1) * batch), { axis: 0 });
}

/** f′ of a sigmoid or a tanh, from its value. */
export const sigmoidSlope = (op: Op, y: Value) => op.Mul(y, op.Sub(1, y));
export const tanhSlope = (op: Op, y: Value) => op.Sub(1, op.Mul(y, y));

export function biasOf(
  s: Recurrence,
  bias: Value | undefined,
  gates: number,
): readonly [Value?, Value?] {
  if (bias === undefined) return [];
  const half = (from: number) =>
    s.op.reshape(block(s, bias, from, from + gates), [gates * s.hidden]);
  return [half(0), half(gates)];
}

/** x · wᵀ + bias. */
export function linear(op: Op, x: Value, w: Value, bias?: Value): Value {
  return op.Gemm(x, w, bias ?? null, { transB: 1 });
}

/** aᵀ · b: what all steps and samples together add to the gradient of a weight. */
export function outer(op: Op, a: Value, b: Value): Value {
  return op.Gemm(a, b, { transA: 1 });
}

/** Results in the shapes of the op's outputs, where somebody wants them. */
export function asOutputs(
  { op, needed, y }: LoweringContext,
  results: readonly Value[],
): readonly (Value | undefined)[] {
  return results.map((result, i) =>
    needed(i) ? op.reshape(result, (y[i] as Value).shape) : undefined,
  );
}
