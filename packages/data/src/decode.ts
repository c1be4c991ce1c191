import { GradwareError } from '@gradware/core';
import { type Budget, createBudget } from './budget.js';
import { classNames } from './class-names.js';
import { decodeCsv } from './csv.js';
import { type Column, createDataset, type Dataset } from './dataset.js';
import type { NdArray } from './elements.js';
import { gunzip, isGzip } from './gzip.js';
import { decodeIdx, isIdx } from './idx.js';
import { decodeNpy, isNpy } from './npy.js';
import { decodeNpyText } from './npy-text.js';
import { listNpz } from './npz.js';
import { expand, unmatched } from './select.js';
import { list, suggestion } from './suggestion.js';

export type DataFormat = 'npz' | 'npy' | 'csv' | 'idx';

/** How to read data; everything may be left out. */
export interface ReadOptions {
  /** By default told from the file's name, else from its first bytes. Any format may be gzipped. */
  readonly format?: DataFormat;
  /** Read only these: names, globs (`pixel*`), ranges (`pixel0..pixel783`). What else is in the files is not looked at. */
  readonly columns?: readonly string[];
  /** CSV: what separates fields. By default what the first line shows (comma, semicolon, tab or bar). */
  readonly delimiter?: string;
  /** CSV: whether the first line names the columns, as by default; without it they are '0', '1', ... By default a first
   *  line that can only be data is refused. */
  readonly header?: boolean;
  /** CSV, .npy and .npz: columns that may hold names of classes in place of numbers: the names in the order of their numbers, or
   *  'found' for those that stand there, sorted. What was found is in `Dataset.classes`. */
  readonly classes?: Readonly<Record<string, readonly string[] | 'found'>>;
  /** Names, globs or ranges of columns that say how many examples there are, where the files hold arrays of several
   *  lengths: those of other lengths are set aside. */
  readonly rowsOf?: readonly string[];
  /** Most bytes that the files may unpack to; 2 GiB by default. */
  readonly maxBytes?: number;
}

/** A file's content under its name. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface Part {
  /** All that the file offers. */
  readonly names: readonly string[];
  readonly columns: readonly Column[];
  readonly ignored: ReadonlyMap<string, string>;
  readonly classes?: ReadonlyMap<string, readonly string[]>;
}

type Decoder = (bytes: Uint8Array, name: string, options: ReadOptions, budget: Budget) => Part;

const FORMATS: Readonly<Record<DataFormat, Decoder>> = {
  npz: fromNpz,
  npy: fromNpy,
  csv: fromCsv,
  idx: fromIdx,
};

const EXTENSIONS: readonly (readonly [RegExp, DataFormat])[] = [
  [/\.npz$/i, 'npz'],
  [/\.npy$/i, 'npy'],
  [/\.(csv|tsv)$/i, 'csv'],
  [/([-.]idx\d?-[us]byte|\.idx\d?)$/i, 'idx'],
];

/** Reads data from memory: one file, or several that together give the columns (IDX images and labels).
 *  A .npz or .csv file names its columns; the column of a .npy or IDX file is named as the file, where a name like
 *  train-images-idx3-ubyte gives 'images' or 'labels'. Columns may share the memory of the bytes given.
 *  @throws GradwareError INVALID_DATA for data that is damaged or does not fit together, UNSUPPORTED for an unknown
 *  format, OUT_OF_MEMORY beyond `maxBytes`, INVALID_OPTION for a column that is not there */
export function decodeDataset(
  files: Uint8Array | NamedBytes | readonly NamedBytes[],
  options: ReadOptions = {},
): Dataset {
  const budget = createBudget(options.maxBytes);
  const parts = asFiles(files).map((file) => decodeFile(file, options, budget));
  const names = parts.flatMap((part) => part.names);
  for (const pattern of options.columns ?? []) checkMatched(pattern, names);

  const ignored = new Map(parts.flatMap((part) => [...part.ignored]));
  const columns = ofOneLength(
    parts.flatMap((part) => part.columns),
    options.rowsOf ?? [],
    ignored,
  );
  if (columns.length === 0) {
    const reasons = [...ignored].map(([name, reason]) => `${name}: ${reason}`);
    throw new GradwareError('INVALID_DATA', 'There is no column of numbers in the data', {
      where: list(reasons.length > 0 ? reasons : asFiles(files).map((file) => file.name)),
      remedy: 'Give at least one array whose first axis counts the examples.',
    });
  }
  const classes = new Map(parts.flatMap((part) => [...(part.classes ?? [])]));
  return { ...createDataset(columns, ignored), ...(classes.size > 0 && { classes }) };
}

/** Sets aside what is of another length than the columns that count. */
function ofOneLength(
  columns: readonly Column[],
  rowsOf: readonly string[],
  ignored: Map<string, string>,
): readonly Column[] {
  const names = columns.map(({ name }) => name);
  const counting = new Set(rowsOf.flatMap((pattern) => expand(pattern, names)));
  const lengths = new Set(
    columns.flatMap(({ name, shape }) => (counting.has(name) ? [shape[0] ?? 0] : [])),
  );
  const [length] = lengths;
  if (length === undefined || lengths.size > 1) return columns;
  return columns.filter(({ name, shape }) => {
    if (shape[0] === length) return true;
    ignored.set(name, `it has ${shape[0]} rows, and the examples are ${length}`);
    return false;
  });
}

/** Whether a file's name says that it holds data. */
export function isDataFile(name: string): boolean {
  return formatByName(name) !== undefined;
}

function asFiles(files: Uint8Array | NamedBytes | readonly NamedBytes[]): readonly NamedBytes[] {
  if (files instanceof Uint8Array) return [{ name: 'data', bytes: files }];
  return 'bytes' in files ? [files] : files;
}

function decodeFile({ name, bytes }: NamedBytes, options: ReadOptions, budget: Budget): Part {
  // A plain view: Node's Buffer is a Uint8Array whose methods behave differently.
  const packed = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const plain = isGzip(packed) ? gunzip(packed, budget, name) : packed;
  const format = options.format ?? formatByName(name) ?? formatByContent(plain);
  if (format === undefined || !Object.hasOwn(FORMATS, format)) {
    throw new GradwareError('UNSUPPORTED', 'The format of the data is not known', {
      where: name,
      remedy: `Say which it is (option format): ${Object.keys(FORMATS).join(', ')}.`,
    });
  }
  return FORMATS[format](plain, name, options, budget);
}

function formatByName(name: string): DataFormat | undefined {
  const plain = withoutGz(name);
  return EXTENSIONS.find(([pattern]) => pattern.test(plain))?.[1];
}

function formatByContent(bytes: Uint8Array): DataFormat | undefined {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return 'npz';
  if (isNpy(bytes)) return 'npy';
  return isIdx(bytes) ? 'idx' : undefined;
}

function chosen(names: readonly string[], { columns }: ReadOptions): readonly string[] {
  if (columns === undefined) return names;
  const wanted = new Set(columns.flatMap((pattern) => expand(pattern, names)));
  return names.filter((name) => wanted.has(name));
}

function fromNpz(bytes: Uint8Array, source: string, options: ReadOptions, budget: Budget): Part {
  const arrays = listNpz(bytes, source);
  const names = [...arrays.keys()];
  const columns: Column[] = [];
  const ignored = new Map<string, string>();
  const classes = new Map<string, readonly string[]>();
  for (const name of chosen(names, options)) {
    const bytes = arrays.get(name)!(budget);
    const named = namedClasses(bytes, name, `${source}, ${name}`, options, budget);
    if (named !== undefined) {
      columns.push({ ...named.column, name, source });
      classes.set(name, named.names);
      continue;
    }
    const array = orReason(() => decodeNpy(bytes, `${source}, ${name}`));
    if (typeof array === 'string') ignored.set(name, array);
    else if (array.shape.length === 0) ignored.set(name, SCALAR);
    else columns.push({ name, ...array, source });
  }
  return { names, columns, ignored, classes };
}

/** An array of text where names of classes may be: the numbers of the classes, and their names. */
function namedClasses(
  bytes: Uint8Array,
  name: string,
  where: string,
  { classes = {} }: ReadOptions,
  budget: Budget,
): { readonly column: NdArray; readonly names: readonly string[] } | undefined {
  const given = Object.hasOwn(classes, name) ? classes[name] : undefined;
  const texts = given === undefined ? undefined : decodeNpyText(bytes, where);
  if (texts === undefined) return undefined;
  budget.spend(texts.length * Float64Array.BYTES_PER_ELEMENT, where);
  const own = classNames(given === 'found' ? undefined : given);
  const numbers = Float64Array.from(texts, (text, row) => {
    const number = own.numberOf(text);
    if (Number.isNaN(number)) throw own.unknown(text, `${where}, row ${row}`);
    return number;
  });
  const data = own.sorted(numbers);
  return { column: { type: 'float64', shape: [data.length], data }, names: own.list() };
}

const SCALAR = 'a single value, with no axis for the examples';

/** An archive may hold text beside its columns: that is only wrong when someone wants it. */
function orReason(read: () => NdArray): NdArray | string {
  try {
    return read();
  } catch (error) {
    if (error instanceof GradwareError && error.code === 'UNSUPPORTED') return error.message;
    throw error;
  }
}

function fromNpy(bytes: Uint8Array, source: string, options: ReadOptions, budget: Budget): Part {
  const name = stem(source).replace(/\.npy$/i, '');
  const named = namedClasses(bytes, name, source, options, budget);
  if (named === undefined || chosen([name], options).length === 0)
    return single(name, source, options, () => decodeNpy(bytes, source));
  return {
    names: [name],
    columns: [{ ...named.column, name, source }],
    ignored: new Map(),
    classes: new Map([[name, named.names]]),
  };
}

function fromIdx(bytes: Uint8Array, source: string, options: ReadOptions): Part {
  const file = stem(source).replace(/([-.]idx\d?-[us]byte|\.idx\d?)$/i, '');
  const role = /images|labels/i.exec(file)?.[0].toLowerCase();
  return single(role ?? file, source, options, () => decodeIdx(bytes, source));
}

function single(name: string, source: string, options: ReadOptions, read: () => NdArray): Part {
  const ignored = new Map<string, string>();
  if (chosen([name], options).length === 0) return { names: [name], columns: [], ignored };
  const array = read();
  if (array.shape.length > 0)
    return { names: [name], columns: [{ name, ...array, source }], ignored };
  return { names: [name], columns: [], ignored: ignored.set(name, SCALAR) };
}

function fromCsv(bytes: Uint8Array, source: string, options: ReadOptions, budget: Budget): Part {
  const isTsv = /\.tsv$/i.test(withoutGz(source));
  const delimiter = options.delimiter ?? (isTsv ? '\t' : undefined);
  const { header, classes, columns } = options;
  const wanted = (names: readonly string[]) =>
    columns === undefined ? undefined : chosen(names, options);
  return decodeCsv(bytes, { delimiter, header, wanted, classes }, budget, source);
}

function checkMatched(pattern: string, names: readonly string[]): void {
  const [missing] = unmatched(pattern, names);
  if (missing === undefined) return;
  throw new GradwareError('INVALID_OPTION', `No column is named "${missing}"`, {
    remedy: `${suggestion(missing, names)}There are ${list(names)}.`,
  });
}

function withoutGz(name: string): string {
  return name.replace(/\.gz$/i, '');
}

function stem(path: string): string {
  return withoutGz(path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1));
}
