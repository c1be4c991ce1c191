import {
  didYouMean,
  type GradientPlugin,
  GradwareError,
  type Option,
  type Options,
  parseSchedule,
} from '@gradware/core';
import { type Spec, splitTop } from './spec.js';

/** max-norm → maxNorm */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** maxNorm → max-norm */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Reads the options of a spec as their declaration wants them.
 *  @param inner what stands in the spec's brackets, made: each goes to the first option that takes it
 *  @throws GradwareError INVALID_OPTION for unknown names, with the nearest, and for values that do not fit */
export function readOptions(
  spec: Spec,
  declared: Options,
  inner: readonly GradientPlugin[] = [],
): Readonly<Record<string, unknown>> {
  const given: Record<string, unknown> = {};
  for (const [key, text] of spec.options) {
    const option = Object.hasOwn(declared, camelCase(key)) ? declared[camelCase(key)] : undefined;
    if (option === undefined) refuseUnknown(spec, key, declared);
    if (camelCase(key) in given)
      throw new GradwareError('INVALID_OPTION', `${spec.name} is given ${kebabCase(key)} twice`, {
        where: spec.text,
        remedy: 'Leave one of them out.',
      });
    given[camelCase(key)] = readValue(spec, key, text, option);
  }
  for (const plugin of inner) {
    const place = Object.entries(declared).find(
      ([key, { kind }]) => !(key in given) && kind.accepts(plugin),
    );
    if (place === undefined)
      throw new GradwareError(
        'INVALID_OPTION',
        `${spec.name} takes no "${plugin.name}" inside it`,
        {
          where: spec.text,
          remedy: `Give ${plugin.name} a --plugin of its own.`,
        },
      );
    given[place[0]] = plugin;
  }
  return given;
}

/** Reads one value: of all that the text may mean, the first that the option takes. What is only named is true. */
function readValue(spec: Spec, key: string, text: string | true, option: Option): unknown {
  if (text === true) {
    if (option.kind.accepts(true)) return true;
    throw new GradwareError('INVALID_OPTION', `${key} of ${spec.name} is given no value`, {
      where: spec.text,
      remedy: `Write ${key}=..., with ${option.kind.describe}.`,
    });
  }
  if (option.role === 'setting' && /^[a-z][\w-]*\s*\(/i.test(text)) return parseSchedule(text);
  const found = meanings(text).find((value) => option.kind.accepts(value));
  if (found !== undefined) return found;
  const also = option.role === 'setting' ? ', or a schedule such as cosine(1,0.1,1000)' : '';
  throw new GradwareError(
    'INVALID_OPTION',
    `${key} of ${spec.name} must be ${option.kind.describe}${also}, not ${text}`,
    { where: spec.text },
  );
}

const words: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
};

const numeric = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** What a text may mean: a number, a word, a list, or itself. */
function meanings(text: string): readonly unknown[] {
  if (numeric.test(text)) return [Number(text), text];
  if (Object.hasOwn(words, text)) return [words[text], text];
  if (text.startsWith('[') && text.endsWith(']')) return [...lists(text.slice(1, -1)), text];
  return [text];
}

/** A list of what its parts mean first, and a list of texts. */
function lists(text: string): readonly unknown[] {
  const parts = text.trim() === '' ? [] : splitTop(text, ',').parts.map((part) => part.trim());
  return [parts.map((part) => meanings(part)[0]), parts];
}

function refuseUnknown(spec: Spec, key: string, declared: Options): never {
  const known = Object.keys(declared).map(kebabCase);
  throw new GradwareError('INVALID_OPTION', `${spec.name} has no option "${key}"`, {
    where: spec.text,
    remedy: didYouMean(kebabCase(key), known, `Its options: ${known.join(', ')}.`),
  });
}
