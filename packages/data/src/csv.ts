import { GradwareError } from '@gradware/core';
// The build without Node's Buffer.
import { CsvError, parse } from 'csv-parse/browser/esm/sync';
import type { Budget } from './budget.js';
import { type ClassNames, classNames } from './class-names.js';
import type { Column } from './dataset.js';
import { list } from './suggestion.js';

export interface CsvOptions {
  /** What separates fields; ',' if not given. */
  readonly delimiter?: string | undefined;
  /** Whether the first line names the columns; if not they are '0', '1', ... */
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

/** Reads numbers in columns, as float64 of shape [N], and names of classes as their numbers: spaces around fields, quotes (RFC 4180), a byte order mark and
 *  empty lines are fine.
 *  @throws GradwareError INVALID_DATA, with line and column, for an empty field, a field that is no finite number,
 *  a line of another length, or a header that does not name each column once; OUT_OF_MEMORY beyond the budget */
export function decodeCsv(
  bytes: Uint8Array,
  { delimiter = ',', header = true, wanted, classes = {} }: CsvOptions,
  budget: Budget,
  where: string,
): CsvTable {
  if (delimiter === '') {
    throw new GradwareError('INVALID_OPTION', 'The delimiter is empty', {
      remedy: "Give one, such as ';'.",
    });
  }
  let names: readonly string[] | undefined;
  let growing: readonly Growing[] = [];
  let length = 0;
  let capacity = 0;

  const ignored = new Map<string, string>();

  const begin = (fields: readonly string[]) => {
    names = header ? fields : fields.map((_, i) => String(i));
    checkHeader(names, new Set(wanted(names) ?? names), delimiter, where);
  };
  /** Which columns there are to read is known when their first fields are. */
  const choose = (all: readonly string[], fields: readonly string[], line: number) => {
    const chosen = wanted(all);
    growing = all.flatMap((name, index) => {
      const field = fields[index] as string;
      const given = Object.hasOwn(classes, name) ? classes[name] : undefined;
      const isNamed = given !== undefined && (given !== 'found' || isText(field));
      if (chosen === undefined && !isNamed && isText(field)) {
        ignored.set(name, `text, such as "${field.slice(0, 40)}" in line ${line}`);
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
      );
    }
    if (length === 0) choose(names ?? [], fields, line);
    if (length === capacity) grow();
    for (const { name, index, data, names: own } of growing) {
      const field = fields[index]!;
      const value = own === undefined ? Number(field) : own.numberOf(field);
      if (field === '' || !Number.isFinite(value)) {
        const place = `${where}, line ${line}, column "${name}"`;
        if (field === '') throw invalid('An empty field', place);
        if (own !== undefined) throw own.unknown(field, place);
        throw invalid(`"${field.slice(0, 40)}" is not a number`, place);
      }
      data[length] = value;
    }
    length++;
  };

  eachLine(bytes, delimiter, where, (fields, line) => {
    if (names === undefined) {
      begin(fields);
      if (header) return;
    }
    addLine(fields, line);
  });
  if (names === undefined) throw invalid('The file is empty', where);
  if (length === 0) {
    const chosen = wanted(names) ?? names;
    growing = names.flatMap((name, index) =>
      chosen.includes(name) ? [{ name, index, data: new Float64Array(0), names: undefined }] : [],
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

/** Whether a field is a word: not a number, nor what a number becomes that is lost or too large. */
function isText(field: string): boolean {
  return field !== '' && Number.isNaN(Number(field)) && !/^[+-]?(nan|inf(inity)?)$/i.test(field);
}

function eachLine(
  bytes: Uint8Array,
  delimiter: string,
  where: string,
  visit: (fields: readonly string[], line: number) => void,
): void {
  try {
    // csv-parse's own `bom` option takes only a Buffer.
    parse(withoutByteOrderMark(bytes), {
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
    if (error instanceof CsvError) throw invalid(error.message, where, error);
    throw error;
  }
}

function withoutByteOrderMark(bytes: Uint8Array): Uint8Array {
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return marked ? bytes.subarray(3) : bytes;
}

function checkHeader(
  names: readonly string[],
  chosen: ReadonlySet<string>,
  delimiter: string,
  where: string,
): void {
  const seen = new Set<string>();
  const repeated = new Set(names.filter((name) => seen.size === seen.add(name).size));
  const bad = [...chosen].find((name) => name === '' || repeated.has(name));
  if (bad !== undefined) {
    const problem = bad === '' ? 'A column has no name' : `Two columns are named "${bad}"`;
    throw new GradwareError('INVALID_DATA', problem, {
      where: `${where}, line 1: ${list(names)}`,
      remedy:
        'Name each column once, choose others (option columns), or say that the file has no header line.',
    });
  }
  const other = [';', '\t', '|', ','].find(
    (sign) => sign !== delimiter && names[0]?.includes(sign),
  );
  if (names.length === 1 && other !== undefined) {
    throw new GradwareError('INVALID_DATA', 'The header holds only one column', {
      where: `${where}, line 1: ${names[0]?.slice(0, 80)}`,
      remedy: `Fields seem to be separated by ${JSON.stringify(other)}: say so (option delimiter).`,
    });
  }
}

function invalid(problem: string, where: string, cause?: unknown): GradwareError {
  return new GradwareError('INVALID_DATA', problem, {
    where,
    remedy:
      'Every line must have one field for each column, and every field a finite number (names of classes: see option classes).',
    cause,
  });
}
