import { GradwareError } from '@gradware/core';
// The build without Node's Buffer.
import { CsvError, parse } from 'csv-parse/browser/esm/sync';
import type { Budget } from './budget.js';
import { type ClassNames, classNames } from './class-names.js';
import { asUtf8, findDelimiter, isDataLine, otherDelimiter } from './csv-text.js';
import { type Column, isOfText } from './dataset.js';
import { list } from './suggestion.js';

export interface CsvOptions {
  /** What separates fields; if not given, what the first line shows. */
  readonly delimiter?: string | undefined;
  /** Whether the first line names the columns, as it does if not given; else they are '0', '1', ... */
  readonly header?: boolean | undefined;
  /** Which columns to read, by name; undefined where nobody chose: then columns of text are left out. */
  readonly wanted: (names: readonly string[]) => readonly string[] | undefined;
  /** Columns that may hold names of classes; see ReadOptions. */
  readonly classes?: Readonly<Record<string, readonly string[] | 'found'>> | undefined;
}

export interface CsvTable {
  readonly names: readonly string[];
  readonly columns: readonly Column[];
  /** Columns of text, and what they hold. */
  readonly ignored: ReadonlyMap<string, string>;
  /** The names of the classes, in the order of their numbers, of columns that hold names. */
  readonly classes: ReadonlyMap<string, readonly string[]>;
}

/** A column in the making, and where its field is in a line. */
interface Growing {
  readonly name: string;
  readonly index: number;
  /** Numbers; of a column of names, which of `names` stands in each line. */
  data: Float64Array;
  readonly names: ClassNames | undefined;
}

/** Reads numbers in columns, as float64 of shape [N], and names of classes as their numbers: spaces around fields, quotes (RFC 4180), UTF-8 and
 *  UTF-16 with a byte order mark and empty lines are fine. A column without a name is left out.
 *  @throws GradwareError INVALID_DATA, with line and column, for an empty field, a field that is no finite number,
 *  a line of another length, or a header that does not name each column once; OUT_OF_MEMORY beyond the budget */
export function decodeCsv(
  bytes: Uint8Array,
  { delimiter: given, header, wanted, classes = {} }: CsvOptions,
  budget: Budget,
  where: string,
): CsvTable {
  if (given === '') {
    throw new GradwareError('INVALID_OPTION', 'The delimiter is empty', {
      remedy: "Give one, such as ';'.",
    });
  }
  const text = asUtf8(bytes);
  const delimiter = given ?? findDelimiter(text);
  let names: readonly string[] | undefined;
  let growing: readonly Growing[] = [];
  let length = 0;
  let capacity = 0;

  const ignored = new Map<string, string>();

  const begin = (fields: readonly string[]) => {
    if (header === undefined) refuseData(fields, where);
    names = header === false ? fields.map((_, i) => String(i)) : fields;
    checkHeader(names, new Set(wanted(names) ?? names), delimiter, where);
  };
  /** Which columns there are to read is known when their first fields are. */
  const choose = (all: readonly string[], fields: readonly string[], line: number) => {
    const chosen = wanted(all);
    growing = all.flatMap((name, index) => {
      if (name === '') return [];
      const field = fields[index] as string;
      const given = Object.hasOwn(classes, name) ? classes[name] : undefined;
      const isNamed = given !== undefined && (given !== 'found' || isText(field));
      if (chosen === undefined && !isNamed && isText(field)) {
        ignored.set(name, `${isOfText}, such as "${field.slice(0, 40)}" in line ${line}`);
        return [];
      }
      if (chosen?.includes(name) === false) return [];
      const known = isNamed ? classNames(given === 'found' ? undefined : given) : undefined;
      return [{ name, index, data: new Float64Array(0), names: known }];
    });
  };
  const grow = () => {
    const next = Math.max(64, capacity * 2);
    budget.spend((next - capacity) * growing.length * Float64Array.BYTES_PER_ELEMENT, where);
    capacity = next;
    for (const column of growing) {
      const wider = new Float64Array(capacity);
      wider.set(column.data);
      column.data = wider;
    }
  };
  const addLine = (fields: readonly string[], line: number) => {
    const width = names?.length ?? 0;
    if (fields.length !== width) {
      throw invalid(
        `${fields.length} fields where there are ${width} columns`,
        `${where}, line ${line}`,
        'Every line must have one field for each column.',
      );
    }
    if (length === 0) choose(names ?? [], fields, line);
    if (length === capacity) grow();
    for (const { name, index, data, names: own } of growing) {
      const field = fields[index]!;
      const value = own === undefined ? Number(field) : own.numberOf(field);
      if (field === '' || !Number.isFinite(value)) {
        const place = `${where}, line ${line}, column "${name}"`;
        if (field === '')
          throw invalid('An empty field', place, own === undefined ? gapRemedy : noNameRemedy);
        if (own !== undefined) throw own.unknown(field, place);
        throw invalid(`"${field.slice(0, 40)}" is not a number`, place, remedyFor(field));
      }
      data[length] = value;
    }
    length++;
  };

  eachLine(text, delimiter, where, (fields, line) => {
    if (names === undefined) {
      begin(fields);
      if (header !== false) return;
    }
    addLine(fields, line);
  });
  if (names === undefined)
    throw invalid('The file is empty', where, 'Give a file with a line for each example.');
  if (length === 0) {
    const chosen = wanted(names) ?? names;
    growing = names.flatMap((name, index) =>
      name !== '' && chosen.includes(name)
        ? [{ name, index, data: new Float64Array(0), names: undefined }]
        : [],
    );
  }
  return {
    names,
    columns: growing.map(({ name, data, names: own }) => ({
      name,
      type: 'float64',
      shape: [length],
      data: own === undefined ? data.subarray(0, length) : own.sorted(data.subarray(0, length)),
      source: where,
    })),
    ignored,
    classes: new Map(
      growing.flatMap(({ name, names: own }) => (own === undefined ? [] : [[name, own.list()]])),
    ),
  };
}

const decimalComma = /^[+-]?[\d.]*\d,\d+$/;

/** Whether a field is a word: not a number, nor what a number becomes that is lost, too large or written elsewhere. */
function isText(field: string): boolean {
  const lost = /^[+-]?(nan|inf(inity)?)$/i.test(field) || decimalComma.test(field);
  return field !== '' && Number.isNaN(Number(field)) && !lost;
}

function eachLine(
  bytes: Uint8Array,
  delimiter: string,
  where: string,
  visit: (fields: readonly string[], line: number) => void,
): void {
  try {
    parse(bytes, {
      trim: true,
      delimiter,
      skip_empty_lines: true,
      relax_column_count: true,
      on_record: (fields: readonly string[], { lines }) => {
        visit(fields, lines);
        return null;
      },
    });
  } catch (error) {
    if (error instanceof CsvError) throw invalid(error.message, where, quoteRemedy, error);
    throw error;
  }
}

/** A first example that is read as names would be lost without a word. */
function refuseData(fields: readonly string[], where: string): void {
  if (!isDataLine(fields)) return;
  throw invalid(
    'The first line holds numbers, not the names of the columns',
    `${where}, line 1: ${list(fields)}`,
    'Say that the file has no header line (option header: false), or that it has (header: true).',
  );
}

const gapRemedy = 'Put a number there, or leave the line out: gaps are not filled.';

const noNameRemedy = 'Put a name there, or leave the line out: gaps are not filled.';

const quoteRemedy = 'A field in quotes ends with a quote; quotes within it are doubled.';

/** What may have been meant by a field that is no number. */
function remedyFor(field: string): string {
  if (decimalComma.test(field)) return 'Decimals are written with a point.';
  if (/^(n\/?a|nan|null|none|\?|-+)$/i.test(field)) return gapRemedy;
  return 'Every field of a column is a finite number; names are for the classes of a label (option classes).';
}

function checkHeader(
  names: readonly string[],
  chosen: ReadonlySet<string>,
  delimiter: string,
  where: string,
): void {
  const seen = new Set<string>();
  const repeated = new Set(names.filter((name) => seen.size === seen.add(name).size));
  // A column without a name, as tables with row numbers have, cannot be asked for.
  const nameless = names.every((name) => name === '');
  const bad = [...chosen].find((name) => name !== '' && repeated.has(name));
  if (nameless || bad !== undefined) {
    const problem = nameless ? 'No column has a name' : `Two columns are named "${bad}"`;
    throw new GradwareError('INVALID_DATA', problem, {
      where: `${where}, line 1: ${list(names)}`,
      remedy:
        'Name each column once, choose others (option columns), or say that the file has no header line (option header: false).',
    });
  }
  const other = otherDelimiter(names[0] ?? '', delimiter);
  if (names.length === 1 && other !== undefined) {
    throw new GradwareError('INVALID_DATA', 'The header holds only one column', {
      where: `${where}, line 1: ${names[0]?.slice(0, 80)}`,
      remedy: `Fields seem to be separated by ${JSON.stringify(other)}: say so (option delimiter).`,
    });
  }
}

function invalid(problem: string, where: string, remedy: string, cause?: unknown): GradwareError {
  return new GradwareError('INVALID_DATA', problem, { where, remedy, cause });
}
