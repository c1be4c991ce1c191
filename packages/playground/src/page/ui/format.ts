import type { OptionValue } from '../../shared/catalogue.js';

/** A number as short as it stays readable: 0.00123, 12.3, 1.2e-7. */
export function short(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  if (magnitude === Number.POSITIVE_INFINITY) return value > 0 ? '∞' : '−∞';
  if (magnitude >= 10 ** (digits + 2) || magnitude < 1e-3) return value.toExponential(1);
  return value
    .toPrecision(digits)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}

export const percent = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : `${(100 * value).toFixed(1)} %`;

export const whole = (value: number): string => value.toLocaleString('en-US');

/** maxNorm → max norm */
export const spaced = (name: string): string =>
  name.replace(/[A-Z0-9]+/g, (part) => ` ${part.toLowerCase()}`).trim();

/** What a control shows for a value. */
export function shown(value: OptionValue | undefined): string {
  if (value === undefined) return '';
  if (value === Number.POSITIVE_INFINITY) return 'Infinity';
  return String(value);
}

/** What was typed, as a number where it is one. */
export function typed(text: string): OptionValue | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  if (/^\+?inf(inity)?$/i.test(trimmed)) return Number.POSITIVE_INFINITY;
  const value = Number(trimmed);
  return Number.isNaN(value) ? trimmed : value;
}

const ladder = [1, 2, 5] as const;

/** The next number up or down along 1, 2, 5, 10, ...; whole numbers go by one below 10. */
export function nudge(value: number, up: boolean, integer: boolean): number {
  if (!Number.isFinite(value)) return value;
  if (integer && value < 10) return Math.max(0, value + (up ? 1 : -1));
  if (value <= 0) return up ? (integer ? 1 : 0.001) : value;
  const steps: number[] = [];
  const exponent = Math.floor(Math.log10(value));
  for (let e = exponent - 1; e <= exponent + 1; e++)
    for (const digit of ladder) steps.push(Number((digit * 10 ** e).toPrecision(1)));
  const near = 1e-9 * value;
  const next = up
    ? steps.find((one) => one > value + near)
    : steps.findLast((one) => one < value - near);
  return next ?? value;
}
