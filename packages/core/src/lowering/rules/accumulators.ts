import { lowerings } from '../rule.js';

/** What ORT's artifacts keep gradients with. */
export const accumulators = lowerings({
  // (buffer, value, overwrite?) → (done, new buffer)
  InPlaceAccumulatorV2: ({ op, x: [buffer, value, overwrite], has, needed }) => {
    const sum = () => op.Add(buffer, op.cast(value, buffer.type));
    const kept = () => op.Where(overwrite, op.cast(value, buffer.type), sum());
    return [
      needed(0) ? op.ones({ type: 'bool', shape: [1] }) : undefined,
      needed(1) ? (has(2) ? kept() : sum()) : undefined,
    ];
  },
  // (old, value, do it?) → new
  InPlaceAccumulator: ({ op, x: [old, value, update], has }) => {
    const sum = op.Add(old, op.cast(value, old.type));
    return has(2) ? op.Where(update, sum, old) : sum;
  },
  ZeroGradient: ({ op, x: [old] }) => op.zeros(old),
  // Waits for all of its inputs and says so.
  Group: ({ op, y: [done] }) => op.ones(done),
  PassThrough: ({ node, x }) => x.slice(0, node.outputs.length),
  ReduceAllL2: ({ op, node, x, y }) =>
    op.cast(op.globalNorm(x.slice(0, node.inputs.length)), y[0].type),
});
