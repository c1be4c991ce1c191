import type { DataType, Dim } from '@gradware/core';
import { GradwareError } from '@gradware/core';
import { type Column, type Dataset, describe, isOfText } from './dataset.js';
import { sizeOf } from './elements.js';
import { fitShape } from './reshape.js';
import { expand, unmatched } from './select.js';
import { list, suggestion } from './suggestion.js';

/** A model input to fill: its first axis is the example, whatever its size there. */
export interface WantedInput {
  readonly name: string;
  readonly type: DataType;
  readonly shape: readonly Dim[];
}

/** Which columns give an input, by the input's name: a name, `a,b`, a glob `pixel*` or a range `pixel0..pixel783`.
 *  Several columns lie side by side in the input, in this order. */
export type InputMapping = Readonly<Record<string, string>>;

/** Finds the columns of each input: those that the mapping says, else the one of the same name, else the only one left
 *  whose shape fits; one input that is still open takes all remaining scalar columns when they fill it together.
 *  @throws GradwareError INVALID_OPTION for names that are not there, INVALID_DATA where nothing or more than one fits */
export function matchColumns(
  dataset: Dataset,
  wanted: readonly WantedInput[],
  mapping: InputMapping,
): ReadonlyMap<string, readonly Column[]> {
  const matched = new Map<string, readonly Column[]>();
  for (const { name } of wanted) {
    const expression = Object.hasOwn(mapping, name) ? mapping[name] : undefined;
    const named = dataset.columns.get(name);
    if (expression !== undefined) matched.set(name, mappedColumns(dataset, name, expression));
    else if (named !== undefined) matched.set(name, [named]);
  }
  matchRest(dataset, wanted, matched);
  return matched;
}

function mappedColumns(dataset: Dataset, input: string, expression: string): readonly Column[] {
  const names = [...dataset.columns.keys()];
  const [missing] = unmatched(expression, names);
  if (missing === undefined)
    return expand(expression, names).map((name) => dataset.columns.get(name)!);
  const reason = dataset.ignored?.get(missing);
  throw new GradwareError(
    'INVALID_OPTION',
    reason === undefined
      ? `The data has no column "${missing}"`
      : `"${missing}" cannot be a column: ${reason}`,
    {
      where: `${input}=${expression}`,
      remedy: `${suggestion(missing, names)}The columns are ${describeAll(dataset.columns.values())}.`,
    },
  );
}

function matchRest(
  dataset: Dataset,
  wanted: readonly WantedInput[],
  matched: Map<string, readonly Column[]>,
): void {
  for (;;) {
    const used = new Set([...matched.values()].flat());
    const free = [...dataset.columns.values()].filter((column) => !used.has(column));
    const open = wanted
      .filter(({ name }) => !matched.has(name))
      .map((input) => ({ input, fitting: free.filter((column) => fits([column], input)) }));
    const [first] = open;
    if (first === undefined) return;

    const together = open.length === 1 && free.length > 1 && fillsTogether(free, first.input);
    const sure = together
      ? { input: first.input, fitting: free }
      : open.find(({ fitting }) => fitting.length === 1 && rivals(fitting, open) === 1);
    if (sure === undefined) throw undecided(dataset, free, open);
    matched.set(sure.input.name, sure.fitting);
  }
}

interface Open {
  readonly input: WantedInput;
  readonly fitting: readonly Column[];
}

/** How many inputs have exactly this one candidate. */
function rivals([column]: readonly Column[], open: readonly Open[]): number {
  return open.filter(({ fitting }) => fitting.length === 1 && fitting[0] === column).length;
}

/** As a table: one number a column, and an input with an axis for them. */
function fillsTogether(free: readonly Column[], input: WantedInput): boolean {
  return (
    free.every((column) => column.shape.length === 1) && input.shape.length > 1 && fits(free, input)
  );
}

function fits(columns: readonly Column[], input: WantedInput): boolean {
  return fitShape(exampleShape(columns), input.shape.slice(1), new Map()) !== undefined;
}

/** The shape of one example: a single column's own, or the number of values of several side by side. */
export function exampleShape(columns: readonly Column[]): readonly number[] {
  const shapes = columns.map((column) => column.shape.slice(1));
  const [only] = shapes;
  if (shapes.length === 1 && only !== undefined) return only;
  return [shapes.reduce((total, shape) => total + sizeOf(shape), 0)];
}

function undecided(
  dataset: Dataset,
  free: readonly Column[],
  open: readonly Open[],
): GradwareError {
  const { input, fitting } = open.find((one) => one.fitting.length === 0) ?? open[0]!;
  const candidates = fitting.length > 0 ? fitting : free;
  const problem =
    fitting.length > 1
      ? `More than one column fits the model input "${input.name}"`
      : fitting.length === 1
        ? `One column fits several model inputs, among them "${input.name}"`
        : `No column fits the model input "${input.name}"`;
  const near = suggestion(
    input.name,
    candidates.map((column) => column.name),
  );
  const sources = new Set([...dataset.columns.values()].flatMap((column) => column.source ?? []));
  return new GradwareError(
    'INVALID_DATA',
    `${problem}: expected ${describeInput(input)}, found ${describeAll(candidates)}`,
    {
      where: list(sources) || 'the data',
      remedy: `${near}${isTable(free, input) ? tableRemedy(dataset, input.name, free, open) : columnRemedy(dataset, candidates, input)}`,
    },
  );
}

function columnRemedy(
  { ignored = new Map() }: Dataset,
  candidates: readonly Column[],
  { name, type, shape }: WantedInput,
): string {
  const oneHot =
    /int/.test(type) && candidates.some((column) => column.shape.length === shape.length + 1);
  const left = [...ignored].map(([column, reason]) => `${column} (${reason.split('\n')[0]})`);
  return [
    `Say which column it is: ${name}=<column>.`,
    ...(oneHot ? ['Of one-hot labels give the numbers of the classes: y.argmax(axis=1).'] : []),
    ...(left.length > 0 ? [`Set aside: ${list(left)}.`] : []),
  ].join(' ');
}

/** Columns of one number each, and an input that takes several of them. */
function isTable(free: readonly Column[], input: WantedInput): boolean {
  return free.length > 1 && input.shape.length > 1 && free.every(({ shape }) => shape.length === 1);
}

/** The remedy with the names of the data at hand. */
function tableRemedy(
  { ignored = new Map() }: Dataset,
  name: string,
  free: readonly Column[],
  open: readonly Open[],
): string {
  const [first = '', second = ''] = free.map((column) => column.name);
  const last = free.at(-1)?.name ?? '';
  const other = open.find(({ input }) => input.name !== name)?.input.name;
  const rest =
    other === undefined
      ? ''
      : `, or only what belongs elsewhere, as in ${other}=${last}: then the rest is ${name}`;
  const [text] = [...ignored].find(([, reason]) => reason.startsWith(isOfText)) ?? [];
  const label =
    other === undefined || text === undefined
      ? ''
      : `The column "${text}" holds text: if these are the names of classes, say so (option classes). `;
  return `${label}Say which columns it is made of, as in ${name}=${first},${second}${rest}.`;
}

/** "float32 [batch, 1, 8, 8]" */
export function describeInput({ type, shape }: WantedInput): string {
  return `${type} [${shape.map((dim) => dim ?? '?').join(', ')}]`;
}

export function describeAll(columns: Iterable<Column>): string {
  return list([...columns].map((column) => `${column.name} ${describe(column)}`)) || 'no column';
}
