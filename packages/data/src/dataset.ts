import { GradwareError } from '@gradware/core';
import { bytesOf, elementsOf, type NdArray, sizeOf } from './elements.js';
import { list } from './suggestion.js';

/** One named array whose first axis is the example. */
export interface Column extends NdArray {
  readonly name: string;
  /** The file it came from, for messages. */
  readonly source?: string;
}

/** How the reason begins why a column of text is left out of a table. */
export const isOfText = 'text';

/** Columns of one length. */
export interface Dataset {
  /** The number of examples. */
  readonly length: number;
  /** By name, in the order of the file. */
  readonly columns: ReadonlyMap<string, Column>;
  /** Arrays in the files that cannot be columns (scalars, text), and why. */
  readonly ignored?: ReadonlyMap<string, string>;
  /** By column, the names of the classes whose numbers it holds. */
  readonly classes?: ReadonlyMap<string, readonly string[]>;
}

/** Puts columns together into a data set.
 *  @throws GradwareError INVALID_DATA when names repeat, lengths differ, or a shape and its data do not agree */
export function createDataset(
  columns: readonly Column[],
  ignored: ReadonlyMap<string, string> = new Map(),
): Dataset {
  const byName = new Map<string, Column>();
  for (const column of columns) {
    const first = byName.get(column.name);
    if (first !== undefined) {
      throw new GradwareError('INVALID_DATA', `Two columns are named "${column.name}"`, {
        where: [first.source, column.source].filter((source) => source !== undefined).join(' and '),
        remedy: 'Name only the files that belong together, or rename one column.',
      });
    }
    if (column.shape.length === 0 || sizeOf(column.shape) !== column.data.length) {
      throw new GradwareError(
        'INVALID_DATA',
        `A column of shape [${column.shape.join(', ')}] cannot hold ${column.data.length} values`,
        {
          where: placeOf(column),
          remedy: 'The first axis counts the examples; the shape counts all values.',
        },
      );
    }
    byName.set(column.name, column);
  }
  const length = columns[0]?.shape[0] ?? 0;
  if (columns.some((column) => column.shape[0] !== length)) {
    throw new GradwareError('INVALID_DATA', 'The columns do not have the same number of examples', {
      where: list(columns.map((column) => `${placeOf(column)}: ${column.shape[0]}`)),
      remedy: 'Choose the columns that belong together (option columns), or name other files.',
    });
  }
  return { length, columns: byName, ignored };
}

/** Gathers rows, in the order given, into a data set of its own memory: a batch.
 *  @throws GradwareError INVALID_OPTION for a row that is not there */
export function take(dataset: Dataset, rows: ArrayLike<number>): Dataset {
  checkRows(rows, dataset.length);
  const columns = new Map<string, Column>();
  for (const [name, column] of dataset.columns) columns.set(name, takeColumn(column, rows));
  return { ...dataset, length: rows.length, columns };
}

function takeColumn(column: Column, rows: ArrayLike<number>): Column {
  const shape = [rows.length, ...column.shape.slice(1)];
  const width = sizeOf(shape.slice(1)) * column.data.BYTES_PER_ELEMENT;
  const from = bytesOf(column.data);
  const to = new Uint8Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    const start = rows[i]! * width;
    to.set(from.subarray(start, start + width), i * width);
  }
  return { ...column, shape, data: elementsOf(column.type, to) };
}

/** @throws GradwareError INVALID_OPTION unless every row is an integer in [0, length) */
export function checkRows(rows: ArrayLike<number>, length: number): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (Number.isInteger(row) && row >= 0 && row < length) continue;
    throw new GradwareError('INVALID_OPTION', `Row ${row} of a data set of ${length}`, {
      remedy: `Rows are integers from 0 to ${length - 1}.`,
    });
  }
}

/** "digits.npz, column 'x'" */
export function placeOf({ name, source }: Column): string {
  return source === undefined ? `column "${name}"` : `${source}, column "${name}"`;
}

/** "uint8 [1797, 8, 8]" */
export function describe({ type, shape }: Pick<NdArray, 'type' | 'shape'>): string {
  return `${type} [${shape.join(', ')}]`;
}
