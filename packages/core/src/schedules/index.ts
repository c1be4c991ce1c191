import { constant } from './constant.js';
import { cosine } from './cosine.js';
import { exponential } from './exponential.js';
import { linear } from './linear.js';
import { piecewise } from './piecewise.js';
import { polynomial } from './polynomial.js';
import { stepDecay } from './step-decay.js';
import { warmup } from './warmup.js';

/** Every schedule by the name that it has in texts. */
export const schedules = {
  constant,
  linear,
  cosine,
  polynomial,
  exponential,
  step: stepDecay,
  piecewise,
  warmup,
} as const;
