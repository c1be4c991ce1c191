import type { Points } from '../curves.js';

/** How slowly the mean forgets. */
const decay = 0.9;
/** What is smaller counts as this. */
const smallest = 1e-9;

/** A moving geometric mean, corrected for its start, which lies within the curve on a logarithmic axis, where another
 *  one stays above it; gaps stay gaps. */
export function smooth(values: Points): Points {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = decay * mean + (1 - decay) * Math.log(Math.max(value, smallest));
    weight = decay * weight + (1 - decay);
    return Math.exp(mean / weight);
  });
}
