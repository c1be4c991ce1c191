import { GradwareError } from '../../errors.js';
import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { elementCount, float, int, type Value } from '../value.js';
import { type DecompositionContext, decompositions } from './decomposition.js';
import { attend, biasOf, joinHeads, never, scaleOf, splitHeads } from './heads.js';
import { placesFrom, rotate } from './rotary.js';

/** What decides over the form of the node and has no place in training. */
function refuse({ node }: DecompositionContext, problem: string): never {
  throw new GradwareError('NO_GRADIENT', `GroupQueryAttention ${problem} has no gradient`, {
    where: `node ${node.name}`,
    remedy: 'Export the model with unquantized past_key_values, and without its scores.',
  });
}

/** Queries, keys and values, as three inputs or side by side in one. */
function parts({ op, x, has }: DecompositionContext, heads: number, own: number) {
  if (has(1)) return x.slice(0, 3);
  const size = (x[0].shape[2] ?? 0) / (heads + 2 * own);
  return op.Split(x[0], op.ints([heads * size, own * size, own * size]), { axis: 2 });
}

/** 0 where a key may be seen, almost -∞ elsewhere: [batch or 1, 1, steps or 1, keys]. */
function seen(op: Op, last: Value, like: Value, keys: number, window: number): Value {
  const places = op.constant(tensorOf(last.type, [...Array(keys).keys()], [keys]));
  const upTo = op.LessOrEqual(places, last);
  const near = op.Less(op.Sub(last, places), window);
  return biasOf(op, window > 0 ? op.And(upTo, near) : upTo, like.type, never(like.type));
}

/** Where the sequences of a batch stand. */
interface Standing {
  /** How many steps each has behind it, int32 [batch, 1]; undefined where none. */
  readonly past: Value | undefined;
  /** The last key of each: int32 [batch, 1]. */
  readonly last: Value;
  /** How many keys there are in all, and room for. */
  readonly total: number;
  readonly room: number;
}

function standing({ op, x, node, has, constant }: DecompositionContext, steps: number): Standing {
  const last = op.reshape(x[5], [elementCount(x[5].shape), 1]);
  const kept = has(3) ? (x[3].shape[2] ?? 0) : 0;
  const total = constant(6)?.[0] ?? kept + steps;
  if (elementCount(has(3) ? x[3].shape : [0]) === 0 || total === steps)
    return { past: undefined, last, total: steps, room: steps };
  // Not at every size: where lengths are open, those of the next batch may fit.
  if (total > kept + steps || total < steps)
    throw new GradwareError(
      'INVALID_MODEL',
      `GroupQueryAttention has ${kept} steps of the past, ${steps} new ones, and ${total} in all`,
      {
        where: `node ${node.name}`,
        remedy: 'Feed a mask (total_sequence_length) as long as past_key_values and what is new.',
      },
    );
  return { past: op.Sub(last, steps - 1), last, total, room: Math.max(kept, total) };
}

/** Keys, or values, of the past and the new ones behind them: after as many as a sequence has behind it. */
function appended(
  { op }: DecompositionContext,
  kept: Value,
  added: Value,
  past: Value,
  room: number,
) {
  const [batch = 0, heads = 0, before = 0, size = 0] = kept.shape;
  const steps = added.shape[2] ?? 0;
  const place = op.constant(tensorOf('int32', [...Array(room).keys()], [1, room]));
  const since = op.Sub(place, past);
  const isNew = op.And(op.GreaterOrEqual(since, 0), op.Less(since, steps));
  const old = op.Where(op.Less(place, before), place, 0);
  const starts = Array.from({ length: batch }, (_, i) => i * (before + steps));
  const number = op.Add(
    op.Where(isNew, op.Add(since, before), old),
    op.constant(tensorOf('int32', starts, [batch, 1])),
  );
  const joined = op.transpose(op.Concat(kept, added, { axis: 2 }), [0, 2, 1, 3]);
  const lines = op.reshape(joined, [batch * (before + steps), heads * size]);
  const rows = op.reshape(op.Gather(lines, number, { axis: 0 }), [batch, room, heads, size]);
  return op.transpose(rows, [0, 2, 1, 3]);
}

/** com.microsoft GroupQueryAttention: causal, keys and values shared by groups of queries, and those of the past before
 *  them. */
function groupQuery(context: DecompositionContext): readonly (Value | undefined)[] {
  const { op, x, attributes, has, wants } = context;
  const heads = int(attributes, 'num_heads', 1);
  const own = int(attributes, 'kv_num_heads', heads);
  if (wants(3)) return refuse(context, 'with its scores as an output');
  if (has(12) || has(13)) return refuse(context, 'with quantized keys and values');
  const [query, key, value] = parts(context, heads, own) as [Value, Value, Value];
  const [batch = 0, steps = 0] = query.shape;
  const { past, last, total, room } = standing(context, steps);
  const split = [splitHeads(op, query, heads), splitHeads(op, key, own)] as const;
  const turned = split.map((part) => {
    if (int(attributes, 'do_rotary', 0) === 0) return part;
    // ONNX Runtime counts from the end of the past, whatever position_ids say.
    const counted = op.constant(tensorOf('int32', [...Array(steps).keys()], [1, steps]));
    const places = past === undefined ? placesFrom(op, undefined, steps) : op.Add(past, counted);
    const pick = (cache: Value) => op.Gather(cache, places, { axis: 0 });
    const interleaved = int(attributes, 'rotary_interleaved', 0) === 1;
    const angles = { cos: pick(x[7]), sin: pick(x[8] as Value), scale: 1 };
    return rotate(op, { x: part, ...angles, interleaved, heads: 0 });
  });
  const [q, ownKeys] = turned as [Value, Value];
  const ownValues = splitHeads(op, value, own);
  const join = (i: number, added: Value) =>
    past === undefined ? added : appended(context, x[i] as Value, added, past, room);
  const [presentKeys, presentValues] = [join(3, ownKeys), join(4, ownValues)];
  const [k, v] = [presentKeys, presentValues].map((each) =>
    total === room ? each : op.slice(each, 2, 0, total),
  ) as [Value, Value];
  const window = int(attributes, 'local_window_size', -1);
  const rows = (value: Value, count: number) => op.reshape(value, [batch, 1, count, 1]);
  const each = op.constant(tensorOf('int32', [...Array(steps).keys()], [1, steps]));
  const end =
    past === undefined
      ? seen(op, rows(last, 1), q, total, 0)
      : seen(op, rows(op.Add(past, each), steps), q, total, window);
  const { y } = attend(op, {
    q,
    k,
    v,
    scale: scaleOf(attributes, q),
    softcap: float(attributes, 'softcap', 0),
    biases: [end, ...(has(10) ? [x[10] as Value] : [])],
    causalOffset: past === undefined ? 0 : undefined,
    window: past === undefined && window > 0 ? window : undefined,
    sink: has(11)
      ? op.reshape(x[11] as Value, [heads, 1, 1])
      : int(attributes, 'smooth_softmax', 0) === 1
        ? 0
        : undefined,
  });
  // As ONNX Runtime leaves it, there is nothing behind the end of a sequence.
  const ended = (value: Value) => {
    const places = op.constant(tensorOf('int32', [...Array(room).keys()], [room, 1]));
    return past === undefined ? value : op.Where(op.LessOrEqual(places, rows(last, 1)), value, 0);
  };
  return [joinHeads(op, y), ended(presentKeys), ended(presentValues)];
}

export const groupQueries = decompositions({ 'com.microsoft.GroupQueryAttention': groupQuery });
