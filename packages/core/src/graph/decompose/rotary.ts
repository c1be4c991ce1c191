import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { float, int, type Value } from '../value.js';
import { type DecompositionContext, decompositions } from './decomposition.js';

interface Rotation {
  readonly x: Value;
  /** [batch or 1, steps, half of the rotated size]. */
  readonly cos: Value;
  readonly sin: Value;
  readonly scale: number;
  readonly interleaved: boolean;
  /** Of x where it is [batch, steps, width]; 0 where the angles tell it. */
  readonly heads: number;
}

/** Turns pairs of elements of every head by angles that depend on the place in the sequence (Su et al. 2021). */
export function rotate(op: Op, { x, cos, sin, scale, interleaved, heads: given }: Rotation): Value {
  const half = cos.shape.at(-1) ?? 0;
  const [batch = 0, second = 0, third = 0, fourth = 0] = x.shape;
  const flat = x.shape.length === 3;
  const heads = flat ? (given === 0 ? third / (2 * half) : given) : second;
  const size = flat ? third / heads : fourth;
  const steps = flat ? second : third;
  // [batch, steps, heads, size]
  const open = flat ? op.reshape(x, [batch, steps, heads, size]) : op.transpose(x, [0, 2, 1, 3]);
  const [turned, rest] =
    size === 2 * half
      ? [open, undefined]
      : op.Split(open, op.ints([2 * half, size - 2 * half]), { axis: 3 });
  const pair = interleaved ? [half, 2] : [2, half];
  const axis = interleaved ? 4 : 3;
  const [a, b] = op
    .Split(op.reshape(turned as Value, [batch, steps, heads, ...pair]), { axis, num_outputs: 2 })
    .map((part) => op.reshape(part, [batch, steps, heads, half])) as [Value, Value];
  const angle = (value: Value) => op.reshape(value, [value.shape[0] ?? 1, steps, 1, half]);
  const [c, s] = [angle(cos), angle(sin)];
  const parts = [op.Sub(op.Mul(a, c), op.Mul(b, s)), op.Add(op.Mul(a, s), op.Mul(b, c))].map(
    (part) => op.reshape(part, [batch, steps, heads, ...(interleaved ? [half, 1] : [1, half])]),
  );
  const joined = op.reshape(op.Concat(...parts, { axis }), [batch, steps, heads, 2 * half]);
  const scaled = scale === 1 ? joined : op.Mul(joined, scale);
  const whole = rest === undefined ? scaled : op.Concat(scaled, rest, { axis: 3 });
  return flat ? op.reshape(whole, x.shape) : op.transpose(whole, [0, 2, 1, 3]);
}

/** [1] is where the sequences start (without it, at 0), [batch, steps] the place of every element. */
export function placesFrom(op: Op, ids: Value | undefined, steps: number): Value {
  if (ids !== undefined && ids.shape.length > 1) return ids;
  const range = op.constant(tensorOf('int64', [...Array(steps).keys()], [1, steps]));
  return ids === undefined ? range : op.Add(range, op.reshape(op.cast(ids, 'int64'), [1, 1]));
}

function settingsOf({ attributes }: DecompositionContext) {
  return {
    interleaved: int(attributes, 'interleaved', 0) === 1,
    heads: int(attributes, 'num_heads', 0),
  };
}

export const rotary = decompositions({
  /** ai.onnx, opset 23: the caches are already those of the places where no places are given. */
  RotaryEmbedding: (context) => {
    const { op, x, has } = context;
    const pick = (cache: Value) => (has(3) ? op.Gather(cache, x[3], { axis: 0 }) : cache);
    const turn = { x: x[0], cos: pick(x[1]), sin: pick(x[2]), scale: 1 };
    return [rotate(op, { ...turn, ...settingsOf(context) })];
  },
  'com.microsoft.RotaryEmbedding': (context) => {
    const { op, x, attributes } = context;
    const steps = x[0].shape.at(-2) ?? 0;
    const places = placesFrom(op, x[1], steps);
    const pick = (cache: Value) => op.Gather(cache, places, { axis: 0 });
    const scale = float(attributes, 'scale', 1);
    const turn = { x: x[0], cos: pick(x[2]), sin: pick(x[3]), scale };
    return [rotate(op, { ...turn, ...settingsOf(context) })];
  },
});
