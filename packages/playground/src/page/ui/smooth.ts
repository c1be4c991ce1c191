import type { Points } from '../curves.js';

/** How slowly the mean forgets. */
const decay = 0.95;

/** A moving mean, corrected for its start; gaps stay gaps. */
export function smooth(values: Points): Points {
  let mean = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    mean = decay * mean + (1 - decay) * value;
    weight = decay * weight + (1 - decay);
    return mean / weight;
  });
}
