import { GradwareError } from '../errors.js';
import type { Value } from '../graph/value.js';
import type { Setting } from '../schedules/schedule.js';
import { didYouMean } from './nearest.js';

/** What values an option may take: a description for people, and a check. */
export interface Kind<T> {
  readonly describe: string;
  readonly accepts: (value: unknown) => value is T;
}

function numberKind(describe: string, holds: (value: number) => boolean): Kind<number> {
  return {
    describe,
    accepts: (value): value is number => typeof value === 'number' && holds(value),
  };
}

/** Infinity is a number here: a bound of infinity switches a clip off. NaN never is. */
export const number: Kind<number> = numberKind('a number', (n) => !Number.isNaN(n));
export const finite: Kind<number> = numberKind('a finite number', Number.isFinite);
export const positive: Kind<number> = numberKind('a number > 0', (n) => n > 0);
/** A rate or a strength: what is multiplied by it would be NaN or infinite, were it infinity. */
export const nonNegative: Kind<number> = numberKind(
  'a number >= 0',
  (n) => n >= 0 && n < Number.POSITIVE_INFINITY,
);
/** [0, 1) */
export const fraction: Kind<number> = numberKind('a number >= 0 and < 1', (n) => n >= 0 && n < 1);
/** (0, 1] */
export const ratio: Kind<number> = numberKind('a number > 0 and <= 1', (n) => n > 0 && n <= 1);

export function integer(min: number, max = Number.MAX_SAFE_INTEGER): Kind<number> {
  const range = max === Number.MAX_SAFE_INTEGER ? `>= ${min}` : `from ${min} to ${max}`;
  return numberKind(`a whole number ${range}`, (n) => Number.isInteger(n) && n >= min && n <= max);
}

export const boolean: Kind<boolean> = {
  describe: 'true or false',
  accepts: (value): value is boolean => typeof value === 'boolean',
};

export function oneOf<const T extends string>(...choices: readonly T[]): Kind<T> {
  return {
    describe: `one of ${choices.join(', ')}`,
    accepts: (value): value is T => choices.includes(value as T),
  };
}

/** Decides a shape or the form of the graph: fixed when the step is compiled. */
export interface ConstantOption<T> {
  readonly role: 'constant';
  readonly kind: Kind<NonNullable<T>>;
  readonly fallback: T;
  readonly help: string;
}

/** A number that may change while training: a constant or a schedule; a float32 scalar in the graph. */
export interface SettingOption<Default extends number | undefined> {
  readonly role: 'setting';
  readonly kind: Kind<number>;
  readonly fallback: Default;
  readonly help: string;
}

export type Option = ConstantOption<unknown> | SettingOption<number | undefined>;
export type Options = Readonly<Record<string, Option>>;

/** Declares a numeric option that may be a schedule. Without a default it is optional. */
export function setting(kind: Kind<number>, fallback: number, help?: string): SettingOption<number>;
export function setting(
  kind: Kind<number>,
  fallback?: undefined,
  help?: string,
): SettingOption<undefined>;
export function setting(
  kind: Kind<number>,
  fallback?: number,
  help = '',
): SettingOption<number> | SettingOption<undefined> {
  return { role: 'setting', kind, fallback, help } as SettingOption<number>;
}

/** Declares an option that is fixed at compile time. Without a default it is optional. */
export function constant<T>(kind: Kind<T>, fallback: T, help?: string): ConstantOption<T>;
export function constant<T>(
  kind: Kind<T>,
  fallback?: undefined,
  help?: string,
): ConstantOption<T | undefined>;
export function constant<T>(kind: Kind<T>, fallback?: T, help = ''): ConstantOption<T | undefined> {
  return { role: 'constant', kind: kind as Kind<NonNullable<T>>, fallback, help };
}

/** What a user may pass. */
export type Given<O extends Options> = {
  readonly [Key in keyof O]?: O[Key] extends ConstantOption<infer T>
    ? T | undefined
    : Setting | undefined;
};

/** What a hook receives: constants as they are, settings as graph values. */
export type Resolved<O extends Options> = {
  readonly [Key in keyof O]: O[Key] extends ConstantOption<infer T>
    ? T
    : O[Key] extends SettingOption<infer Default>
      ? undefined extends Default
        ? Value | undefined
        : Value
      : never;
};

export interface CheckedOptions {
  readonly constants: Readonly<Record<string, unknown>>;
  readonly settings: Readonly<Record<string, Setting>>;
}

/** Checks what a user passed against the declaration; unknown names are refused with the nearest known ones.
 *  @throws GradwareError INVALID_OPTION */
export function checkOptions(
  owner: string,
  declared: Options,
  given: Readonly<Record<string, unknown>>,
): CheckedOptions {
  for (const key of Object.keys(given))
    if (!Object.hasOwn(declared, key)) refuseUnknown(owner, key, declared);
  const constants: Record<string, unknown> = {};
  const settings: Record<string, Setting> = {};
  for (const [key, option] of Object.entries(declared)) {
    const value = given[key] ?? option.fallback;
    if (value === undefined) {
      if (option.role === 'constant') constants[key] = undefined;
      continue;
    }
    if (option.role === 'setting')
      settings[key] = checkSetting(`${owner}.${key}`, option.kind, value);
    else if (option.kind.accepts(value)) constants[key] = value;
    else refuse(`${owner}.${key}`, option.kind, value);
  }
  return { constants, settings };
}

function checkSetting(name: string, kind: Kind<number>, value: unknown): Setting {
  if (typeof value !== 'function') {
    if (!kind.accepts(value)) refuse(name, kind, value);
    return value;
  }
  return (step) => {
    const at: unknown = value(step);
    if (!kind.accepts(at)) refuse(`${name} at step ${step}`, kind, at);
    return at;
  };
}

function refuse(name: string, kind: Kind<unknown>, value: unknown): never {
  throw new GradwareError(
    'INVALID_OPTION',
    `${name} must be ${kind.describe}, not ${print(value)}`,
  );
}

/** A value as messages show it. */
export function print(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function refuseUnknown(owner: string, key: string, declared: Options): never {
  const known = Object.keys(declared).join(', ') || 'none';
  throw new GradwareError('INVALID_OPTION', `${owner} has no option "${key}"`, {
    remedy: didYouMean(key, Object.keys(declared), `Its options: ${known}.`),
  });
}
