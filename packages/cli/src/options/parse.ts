import { InvalidArgumentError } from 'commander';

/** Parsers of single arguments, for commander: they throw what it reports as a wrong use. */

export function parseCount(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It has to be a whole number, at least ${least}.`);
  };
}

/** For options that may be repeated. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}

/** Reads `name=value`, repeatable. */
export function collectPairs(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const equals = text.indexOf('=');
  const [name, value] = [text.slice(0, Math.max(0, equals)).trim(), text.slice(equals + 1).trim()];
  if (name === '' || value === '') throw new InvalidArgumentError('Write it as name=value.');
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: value };
}

/** Reads `name=number`, repeatable. */
export function collectFactors(
  text: string,
  before: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const [[name = '', value = ''] = []] = Object.entries(collectPairs(text));
  const factor = value
    .split('/')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)))
    .reduce((a, b) => a / b);
  if (!Number.isFinite(factor)) throw new InvalidArgumentError('Write it as name=number.');
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`${name} is given twice.`);
  return { ...before, [name]: factor };
}

/** One sign; a tab, which shells make hard to type, also as \\t. */
export function parseSign(text: string): string {
  const sign = text === '\\t' || text === 'tab' ? '\t' : text;
  if (sign.length === 1) return sign;
  throw new InvalidArgumentError('It has to be one sign, such as ";" or tab.');
}

/** A fraction to hold out, or the name of a file. */
export function parseValidation(text: string): number | string {
  const percent = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())?.[1];
  const value = percent === undefined ? Number(text) : Number(percent) / 100;
  if (text.trim() === '' || Number.isNaN(value)) return text;
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('A fraction lies between 0 and 1; anything else is a file.');
}
