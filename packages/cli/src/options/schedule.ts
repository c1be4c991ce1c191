import {
  didYouMean,
  finite,
  GradwareError,
  integer,
  nonNegative,
  type Options,
  constant as option,
  parseSchedule,
  positive,
  type Schedule,
  schedules,
} from '@gradware/core';
import { parseSpec } from './spec.js';
import { readOptions } from './values.js';

/** What a run knows when it starts: the learning rate to begin with, and how many steps there will be. */
export interface Run {
  readonly learningRate: number;
  readonly steps: number;
}

export type RunSchedule = (run: Run) => Schedule;

type Given = Readonly<Record<string, unknown>>;

interface Shape {
  readonly options: Options;
  readonly make: (given: Given, from: number, steps: number) => Schedule;
}

const to = option(finite, undefined, 'the learning rate at the end; 0 if not given');
const lastOf = ({ to: last = 0 }: Given) => Number(last);

/** Schedules that span a run, by name. */
const shapes: Readonly<Record<string, Shape>> = {
  constant: { options: {}, make: (_, from) => schedules.constant(from) },
  linear: {
    options: { to },
    make: (given, from, steps) => schedules.linear(from, lastOf(given), steps),
  },
  cosine: {
    options: { to },
    make: (given, from, steps) => schedules.cosine(from, lastOf(given), steps),
  },
  polynomial: {
    options: { to, power: option(positive, undefined, 'exponent; 1 if not given') },
    make: (given, from, steps) =>
      schedules.polynomial(from, lastOf(given), steps, Number(given.power ?? 1)),
  },
  exponential: {
    options: {
      to: option(positive, undefined, 'the learning rate at the end; a hundredth if not given'),
    },
    make: ({ to: last }, from, steps) =>
      schedules.exponential(from, from === 0 ? 1 : Number(last ?? from / 100) / from, steps),
  },
  step: {
    options: {
      every: option(
        integer(1),
        undefined,
        'steps between two drops; a third of the run if not given',
      ),
      factor: option(nonNegative, undefined, 'what a drop multiplies with; 0.1 if not given'),
    },
    make: ({ every, factor }, from, steps) =>
      schedules.step(
        from,
        Number(factor ?? 0.1),
        Number(every ?? Math.max(1, Math.ceil(steps / 3))),
      ),
  },
};

const warmup = option(integer(0), undefined, 'steps to rise from 0 at the start');

export const scheduleNames: readonly string[] = Object.keys(shapes);

/** Reads `cosine:warmup=100,to=1e-5`: the learning rate from that of the optimizer on, over all steps of the run; or a
 *  schedule in absolute numbers, such as `cosine(1e-3, 0, 1000)`.
 *  @throws GradwareError INVALID_OPTION */
export function parseRunSchedule(text: string): RunSchedule {
  if (/^\s*[a-z-]+\s*\(/i.test(text)) {
    const schedule = parseSchedule(text);
    return () => schedule;
  }
  const spec = parseSpec(text);
  const shape = Object.hasOwn(shapes, spec.name) ? shapes[spec.name] : undefined;
  if (shape === undefined) {
    throw new GradwareError('INVALID_OPTION', `No schedule is named "${spec.name}"`, {
      where: `--schedule ${text}`,
      remedy: didYouMean(spec.name, scheduleNames),
    });
  }
  const given = readOptions(spec, { ...shape.options, warmup });
  const rise = Number(given.warmup ?? 0);
  return ({ learningRate, steps }) => {
    if (rise >= steps)
      throw new GradwareError('INVALID_OPTION', `The warm-up takes ${rise} of ${steps} steps`, {
        where: `--schedule ${text}`,
        remedy: `Give warmup less than ${steps}, or train for more epochs.`,
      });
    const after = shape.make(given, learningRate, steps - rise);
    return rise === 0 ? after : schedules.warmup(after, rise);
  };
}
