import { GradwareError } from '@gradware/core';

/** What an option like `--plugin` says: `name`, `name:key=value,flag`, or `name(inner):key=value` for what takes
 *  others inside. Values stay text: only who declares an option knows what it is. */
export interface Spec {
  readonly name: string;
  readonly inner: readonly Spec[];
  /** True for one that is only named. */
  readonly options: ReadonlyMap<string, string | true>;
  /** As it was written. */
  readonly text: string;
}

const closing: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** @throws GradwareError INVALID_OPTION with the text that cannot be read */
export function parseSpec(text: string): Spec {
  const colon = nameEnd(text);
  const head = text.slice(0, colon).trim();
  const { name, inner } = splitHead(head, text);
  if (name === '') refuse(text, 'has no name');
  const tail = text.slice(colon + 1);
  return { name, inner, options: parseOptions(text, colon < text.length ? tail : undefined), text };
}

/** Where the name ends: at the first colon outside brackets; that of a Windows drive does not count. */
function nameEnd(text: string): number {
  const from = /^\s*[A-Za-z]:[\\/]/.test(text) ? text.indexOf(':') + 1 : 0;
  const { at } = splitTop(text.slice(from), ':', text);
  return from + (at[0] ?? text.length - from);
}

function splitHead(head: string, text: string): Pick<Spec, 'name' | 'inner'> {
  const open = head.indexOf('(');
  const [, ...late] = open < 0 ? [] : splitTop(head, ',', text).parts;
  if (late.length > 0)
    refuse(text, `has "${late.join(',')}" behind its brackets, and no colon there`);
  if (open < 0 || !head.endsWith(')')) return { name: head, inner: [] };
  const content = head.slice(open + 1, -1);
  if (content.trim() === '') refuse(text, 'has empty brackets');
  // A comma also stands between the options of an inner spec: it starts a new one only where no `=` follows. So
  // inside brackets a flag is written out: flag=true.
  const pieces: string[] = [];
  for (const part of splitTop(content, ',', text).parts) {
    const last = pieces.at(-1);
    if (last !== undefined && /^\s*[\w-]+\s*=/.test(part))
      pieces[pieces.length - 1] = `${last},${part}`;
    else pieces.push(part);
  }
  return {
    name: head.slice(0, open).trim(),
    inner: pieces.map((piece) => parseSpec(piece.trim())),
  };
}

function parseOptions(text: string, tail: string | undefined): Spec['options'] {
  const options = new Map<string, string | true>();
  if (tail === undefined) return options;
  for (const part of splitTop(tail, ',', text).parts) {
    const equals = part.indexOf('=');
    const key = part.slice(0, equals < 0 ? undefined : equals).trim();
    const value = equals < 0 || part.slice(equals + 1).trim();
    if (part.trim() === '') refuse(text, 'lacks an option after its colon or a comma');
    if (key === '' || value === '') refuse(text, `has half an option: "${part.trim()}"`);
    if (options.has(key)) refuse(text, `gives ${key} twice`);
    options.set(key, value);
  }
  return options;
}

/** Splits at a sign outside all brackets. */
export function splitTop(
  part: string,
  sign: string,
  text = part,
): { readonly parts: readonly string[]; readonly at: readonly number[] } {
  const at: number[] = [];
  const open: string[] = [];
  for (let i = 0; i < part.length; i++) {
    const character = part.charAt(i);
    const close = closing[character];
    if (close !== undefined) open.push(close);
    else if (')]}'.includes(character)) {
      if (open.pop() !== character) refuse(text, `has a "${character}" too many`);
    } else if (character === sign && open.length === 0) at.push(i);
  }
  const missing = open.at(-1);
  if (missing !== undefined) refuse(text, `lacks a "${missing}"`);
  const bounds = [-1, ...at, part.length];
  return { at, parts: bounds.slice(1).map((end, i) => part.slice((bounds[i] ?? -1) + 1, end)) };
}

function refuse(text: string, problem: string): never {
  throw new GradwareError('INVALID_OPTION', `"${text}" ${problem}`, {
    remedy:
      'Write name, name:option=value,option=value, or name(inside:option=value):option=value.',
  });
}
