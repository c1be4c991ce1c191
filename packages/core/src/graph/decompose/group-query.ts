import { GradwareError } from '../../errors.js';
import type { Op } from '../builder.js';
import { tensorOf } from '../constants.js';
import { elementCount, float, int, type Value } from '../value.js';
import type { DecompositionContext } from './decomposition.js';
import { attend, biasOf, joinHeads, never, scaleOf, splitHeads } from './heads.js';
import { placesFrom, rotate } from './rotary.js';

/** What decides over the form of the node and has no place in training. */
function refuse(
  { node }: DecompositionContext,
  problem: string,
  code: 'NO_GRADIENT' | 'INVALID_MODEL' = 'NO_GRADIENT',
): never {
  throw new GradwareError(code, `GroupQueryAttention ${problem} has no gradient`, {
    where: `node ${node.name}`,
    remedy: 'Train on whole sequences: feed past_key_values with 0 steps, unquantized.',
  });
}

/** Queries, keys and values, as three inputs or side by side in one. */
function parts({ op, x, has }: DecompositionContext, heads: number, own: number) {
  if (has(1)) return x.slice(0, 3);
  const size = (x[0].shape[2] ?? 0) / (heads + 2 * own);
  return op.Split(x[0], op.ints([heads * size, own * size, own * size]), { axis: 2 });
}

/** Keys behind the end of each sequence. */
function endBias(op: Op, lengths: Value, like: Value, keys: number): Value {
  const last = op.reshape(lengths, [elementCount(lengths.shape), 1, 1, 1]);
  const places = op.constant(tensorOf(lengths.type, [...Array(keys).keys()], [keys]));
  return biasOf(op, op.LessOrEqual(places, last), like.type, never(like.type));
}

/** com.microsoft GroupQueryAttention over whole sequences: causal, keys and values shared by groups of queries. */
export function groupQuery(context: DecompositionContext): readonly (Value | undefined)[] {
  const { op, x, attributes, has, wants } = context;
  const heads = int(attributes, 'num_heads', 1);
  const own = int(attributes, 'kv_num_heads', heads);
  const past = [3, 4].some((i) => has(i) && elementCount(x[i]?.shape ?? []) > 0);
  // Not at every size: where the length of the past is open, some batch may have none.
  if (past) return refuse(context, 'with keys and values of the past', 'INVALID_MODEL');
  if (wants(3)) return refuse(context, 'with its scores as an output');
  if (has(12) || has(13)) return refuse(context, 'with quantized keys and values');
  const [query, key, value] = parts(context, heads, own) as [Value, Value, Value];
  const steps = query.shape[1] ?? 0;
  const split = [splitHeads(op, query, heads), splitHeads(op, key, own)] as const;
  const turned = split.map((part) => {
    if (int(attributes, 'do_rotary', 0) === 0) return part;
    // ONNX Runtime counts from 0 where nothing is in the past, whatever position_ids say.
    const places = placesFrom(op, undefined, steps);
    const pick = (cache: Value) => op.Gather(cache, places, { axis: 0 });
    const interleaved = int(attributes, 'rotary_interleaved', 0) === 1;
    const angles = { cos: pick(x[7]), sin: pick(x[8] as Value), scale: 1 };
    return rotate(op, { x: part, ...angles, interleaved, heads: 0 });
  });
  const [q, k] = turned as [Value, Value];
  const v = splitHeads(op, value, own);
  const window = int(attributes, 'local_window_size', -1);
  const { y } = attend(op, {
    q,
    k,
    v,
    scale: scaleOf(attributes, q),
    softcap: float(attributes, 'softcap', 0),
    biases: [endBias(op, x[5], q, steps), ...(has(10) ? [x[10] as Value] : [])],
    causalOffset: 0,
    window: window > 0 ? window : undefined,
    sink: has(11)
      ? op.reshape(x[11] as Value, [heads, 1, 1])
      : int(attributes, 'smooth_softmax', 0) === 1
        ? 0
        : undefined,
  });
  return [joinHeads(op, y), k, v];
}
