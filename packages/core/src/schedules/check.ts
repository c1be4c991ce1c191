import { GradwareError } from '../errors.js';

const checks = {
  finite: { describe: 'a finite number', holds: Number.isFinite },
  positive: { describe: 'a number > 0', holds: (n: number) => Number.isFinite(n) && n > 0 },
  count: { describe: 'a whole number >= 1', holds: (n: number) => Number.isInteger(n) && n >= 1 },
  step: { describe: 'a whole number >= 0', holds: (n: number) => Number.isInteger(n) && n >= 0 },
} as const;

type Check = keyof typeof checks;

/** Checks the arguments of one schedule.
 *  @throws GradwareError INVALID_OPTION, naming schedule and argument */
export function checkArguments(
  schedule: string,
  given: Readonly<Record<string, readonly [value: number, check: Check]>>,
): void {
  for (const [name, [value, check]] of Object.entries(given)) {
    const { describe, holds } = checks[check];
    if (typeof value !== 'number' || !holds(value))
      throw new GradwareError(
        'INVALID_OPTION',
        `${name} of the schedule ${schedule} must be ${describe}, not ${String(value)}`,
      );
  }
}
