import { GradwareError } from '../errors.js';
import { schedules } from '../schedules/index.js';
import type { Schedule } from '../schedules/schedule.js';
import { didYouMean } from './nearest.js';

type ScheduleName = keyof typeof schedules;

interface Signature {
  /** Names of the arguments in order; those in brackets may be left out. */
  readonly arguments: readonly string[];
  readonly required: number;
  /** More numbers may follow. */
  readonly open?: boolean;
  readonly make: (given: readonly (number | Schedule)[]) => Schedule;
}

function numeric(
  names: string,
  make: (...given: number[]) => Schedule,
  { optional = 0, open = false } = {},
): Signature {
  const list = names.split(' ');
  return {
    arguments: list,
    required: list.length - optional,
    open,
    make: (given) => make(...(given as readonly number[])),
  };
}

const signatures: Readonly<Record<ScheduleName, Signature>> = {
  constant: numeric('value', schedules.constant),
  linear: numeric('from to steps', schedules.linear),
  cosine: numeric('from to steps', schedules.cosine),
  polynomial: numeric('from to steps power', schedules.polynomial),
  exponential: numeric('from factor steps', schedules.exponential, { optional: 1 }),
  step: numeric('from factor steps', schedules.step),
  piecewise: numeric('value boundary value ...', schedules.piecewise, { optional: 3, open: true }),
  warmup: {
    arguments: ['schedule', 'steps', 'from'],
    required: 2,
    make: ([schedule, steps, from]) =>
      schedules.warmup(schedule ?? 0, steps as number, from as number | undefined),
  },
};

/** How each schedule is written, for help texts: `cosine(from, to, steps)`. */
export function scheduleUsage(): readonly string[] {
  return Object.entries(signatures).map(([name, signature]) => usage(name, signature));
}

function usage(name: string, { arguments: names, required }: Signature): string {
  const optional = names.slice(required).map((argument) => `, ${argument}`);
  return `${name}(${names.slice(0, required).join(', ')}${optional.length > 0 ? `[${optional.join('')}]` : ''})`;
}

/** Reads a schedule as it is written on a command line: a number, or a name with its arguments in order or by
 *  name, such as `cosine(1, 0.1, 1000)`, `linear(from=1, to=0, steps=500)` or
 *  `warmup(cosine(1, 0.1, 900), 100)`.
 *  @throws GradwareError INVALID_OPTION with the place in the text */
export function parseSchedule(text: string): Schedule {
  const parser = createParser(text);
  const parsed = parser.expression();
  parser.end();
  return typeof parsed === 'number' ? schedules.constant(parsed) : parsed;
}

const token =
  /\s*(?:([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])|([A-Za-z][\w-]*)|([(),=]))/y;

interface Token {
  readonly kind: 'number' | 'name' | 'sign' | 'end';
  readonly text: string;
  readonly at: number;
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const length = text.trimEnd().length;
  while (token.lastIndex < length) {
    const from = token.lastIndex;
    const match = token.exec(text);
    if (match === null) {
      const rest = text.slice(from).trimStart();
      refuse(text, text.length - rest.length, `cannot be read at "${rest.slice(0, 12)}"`);
    }
    const [whole, number, name, sign] = match;
    const found = number ?? name ?? sign ?? '';
    const kind = number !== undefined ? 'number' : name !== undefined ? 'name' : 'sign';
    tokens.push({ kind, text: found, at: from + whole.length - found.length });
  }
  return [...tokens, { kind: 'end', text: '', at: length }];
}

function refuse(text: string, at: number, problem: string, remedy?: string): never {
  throw new GradwareError('INVALID_OPTION', `The schedule "${text}" ${problem}`, {
    where: `character ${at + 1}`,
    remedy: remedy ?? `Schedules: ${scheduleUsage().join(', ')}, or a number.`,
  });
}

function createParser(text: string) {
  const tokens = tokenize(text);
  let position = 0;
  const peek = (): Token => tokens[position] as Token;
  const next = (): Token => tokens[position++] as Token;
  const isSign = (sign: string) => peek().kind === 'sign' && peek().text === sign;

  function expect(sign: string): void {
    if (!isSign(sign)) refuse(text, peek().at, `lacks "${sign}"`);
    next();
  }

  function expression(): number | Schedule {
    const first = peek();
    if (first.kind === 'number') return Number(next().text);
    if (first.kind === 'name') return call();
    return refuse(
      text,
      first.at,
      text.trim() === '' ? 'is empty' : 'lacks a number or the name of a schedule',
    );
  }

  function call(): Schedule {
    const { text: name, at } = next();
    if (!Object.hasOwn(signatures, name)) {
      const remedy = didYouMean(name, Object.keys(signatures));
      refuse(text, at, `names an unknown schedule "${name}"`, remedy);
    }
    const signature = signatures[name as ScheduleName];
    expect('(');
    const given = callArguments(name, signature);
    expect(')');
    const how = `Write ${usage(name, signature)}.`;
    if (given.length > signature.arguments.length && signature.open !== true)
      refuse(text, at, `gives ${name} too many arguments`, how);
    const missing = signature.arguments.find((_, i) => i < signature.required && !(i in given));
    if (missing !== undefined) refuse(text, at, `does not say ${missing} of ${name}`, how);
    return signature.make(given);
  }

  function callArguments(name: string, signature: Signature): (number | Schedule)[] {
    const given: (number | Schedule)[] = [];
    if (isSign(')')) return given;
    for (;;) {
      const start = peek();
      const named = start.kind === 'name' && tokens[position + 1]?.text === '=';
      const index = named ? argumentIndex(name, signature) : given.length;
      if (index in given) refuse(text, start.at, `gives ${start.text} of ${name} twice`);
      const value = expression();
      if (typeof value !== 'number' && signature.arguments[index] !== 'schedule')
        refuse(text, start.at, `gives ${name} a schedule where a number belongs`);
      given[index] = value;
      if (!isSign(',')) return given;
      next();
    }
  }

  function argumentIndex(name: string, signature: Signature): number {
    const { text: argument, at } = next();
    next();
    const index = signature.open === true ? -1 : signature.arguments.indexOf(argument);
    if (index < 0)
      refuse(
        text,
        at,
        `names an argument "${argument}" that ${name} does not have`,
        `Write ${usage(name, signature)}.`,
      );
    return index;
  }

  function end(): void {
    const { kind, at, text: rest } = peek();
    if (kind !== 'end') refuse(text, at, `goes on with "${rest}" after its end`);
  }

  return { expression, end };
}
