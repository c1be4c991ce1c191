/** A number that changes with the step: called with the count of steps done before (0 at the first). */
export type Schedule = (step: number) => number;

/** A numeric option that may change while training, without recompiling. */
export type Setting = number | Schedule;

export function valueAt(setting: Setting, step: number): number {
  return typeof setting === 'number' ? setting : setting(step);
}
