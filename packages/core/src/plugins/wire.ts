import type { Op } from '../graph/builder.js';
import { elementCount, type Value } from '../graph/value.js';
import { byteLength, elementTypes } from '../onnx/element-types.js';
import type { Payload, PluginContext, Prefix } from './plugin.js';

function isPrefix(part: Value | Prefix): part is Prefix {
  return 'length' in part;
}

/** How many bytes payloads take on a wire: a float32 scalar, constant unless lengths depend on data. */
function payloadBytes(op: Op, payloads: readonly Payload[]): Value {
  const parts = payloads.flatMap((payload) => Object.values(payload));
  const fixed = parts.reduce(
    (total, part) => (isPrefix(part) ? total : total + byteLength(part.type, part.shape)),
    0,
  );
  return parts
    .filter(isPrefix)
    .map(({ value, length }) =>
      op.Mul(op.cast(length, 'float32'), elementTypes[value.type].bits / 8),
    )
    .reduce((total, bytes) => op.Add(total, bytes), op.scalar(fixed));
}

/** The metrics of every compressor: what would go over a wire for these gradients, together and for one element. */
export function reportBytes(
  { op, metric }: PluginContext,
  gradients: readonly Value[],
  payloads: readonly Payload[],
): void {
  const bytes = payloadBytes(op, payloads);
  const elements = gradients.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  metric('bytes', bytes);
  metric('bits-per-element', op.Mul(bytes, 8 / Math.max(1, elements)));
}

/** A context in which a hook may be asked what it would do: it reads what the other reads, and leaves nothing behind. */
export function hypothetical(context: PluginContext): PluginContext {
  const nothing = () => {};
  return {
    ...context,
    state: (key, options) => ({
      value: context.state(key, options).value,
      set: (next) => next,
    }),
    apply: (_, gradients) => gradients,
    metric: nothing,
    wait: nothing,
    drop: nothing,
    stop: nothing,
  };
}
