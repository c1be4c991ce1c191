import { constant, definePlugin, integer, oneOf, setting, type Value } from '@gradware/core';

/** Lets the optimizer step only once every `n` micro-batches, with the mean (or the sum) of their gradients.
 *  a ← a + g;  every n-th time g ← a / n and a ← 0; else later plugins and the optimizer hold still
 *  (as optax.MultiSteps, and as loss.backward() called n times before optimizer.step() in PyTorch)
 *  A micro-batch that an earlier plugin drops does not count. */
export const accumulate = definePlugin({
  name: 'accumulate',
  description: 'Makes one step of the mean or the sum of several micro-batches.',
  role: 'accumulate',
  options: {
    n: setting(integer(1), 2, 'how many micro-batches make a step'),
    reduction: constant(oneOf('mean', 'sum'), 'mean', 'what is made of their gradients'),
  },
  transform(gradients, { op, state, wait, metric }, { n, reduction }) {
    // A later plugin may drop the step: then the sum is used up all the same, or what spoiled it would stay in it.
    const count = state('count', { survives: 'later' });
    const next = op.Add(count.value, 1);
    const isDone = op.GreaterOrEqual(next, n);
    count.set(op.Where(isDone, 0, next));
    wait(op.Not(isDone), gradients);
    metric('micro-batches', next);
    const sums = gradients.map((gradient) => state('sum', { like: gradient, survives: 'later' }));
    const totals = gradients.map((gradient, i) => op.Add(sums[i]?.value, gradient));
    const kept = op.select(isDone, gradients.map(op.zeros), totals);
    sums.forEach((sum, i) => {
      sum.set(kept[i] as Value);
    });
    if (reduction === 'sum') return totals;
    return totals.map((total) => op.Div(total, op.cast(next, total.type)));
  },
});
