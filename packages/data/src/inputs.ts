import { GradwareError } from '@gradware/core';
import { canCastTo, castInto } from './cast.js';
import { type Column, createDataset, type Dataset, describe, placeOf } from './dataset.js';
import { sizeOf, zeros } from './elements.js';
import {
  describeAll,
  describeInput,
  exampleShape,
  type InputMapping,
  matchColumns,
  type WantedInput,
} from './match.js';
import { fitShape } from './reshape.js';
import { suggestion } from './suggestion.js';

export interface InputOptions {
  /** A factor for the values of an input, by its name, such as 1/255 for images in bytes. Nothing is scaled unasked. */
  readonly scale?: Readonly<Record<string, number>>;
}

/** Gives each model input its column, in the input's type and shape [N, ...]; the result's columns are named as the
 *  inputs. Columns that fit as they are share their memory with the data set. Types are cast only when every integer
 *  stays exact and no float overflows; shapes change only by splitting and merging axes.
 *  @param mapping which columns give an input, where names and shapes do not tell
 *  @throws GradwareError INVALID_OPTION for names that do not exist, INVALID_DATA where data and inputs do not fit:
 *  with file, column, what was expected and what was found */
export function toInputs(
  dataset: Dataset,
  wanted: readonly WantedInput[],
  mapping: InputMapping = {},
  { scale = {} }: InputOptions = {},
): Dataset {
  const names = wanted.map((input) => input.name);
  for (const name of [...Object.keys(mapping), ...Object.keys(scale)]) checkName(name, names);
  for (const input of wanted) checkInput(input, scale);

  const matched = matchColumns(dataset, wanted, mapping);
  const sizes = new Map<string, number>();
  return createDataset(
    wanted.map((input) =>
      buildInput(input, matched.get(input.name)!, dataset.length, sizes, own(scale, input.name)),
    ),
  );
}

function checkName(name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw new GradwareError('INVALID_OPTION', `The model has no input "${name}"`, {
    remedy: `${suggestion(name, names)}Its inputs are ${names.join(', ')}.`,
  });
}

function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function checkInput(input: WantedInput, scale: Readonly<Record<string, number>>): void {
  const where = `model input "${input.name}", ${describeInput(input)}`;
  if (input.shape.length === 0 || !canCastTo(input.type)) {
    throw new GradwareError('UNSUPPORTED', 'This model input cannot be filled from data', {
      where,
      remedy: 'Inputs from data are numbers with a first axis for the example.',
    });
  }
  const factor = own(scale, input.name);
  if (factor !== undefined && !(Number.isFinite(factor) && input.type.includes('float'))) {
    throw new GradwareError('INVALID_OPTION', `The scale is ${factor}`, {
      where,
      remedy: 'Scale floating-point inputs only, by a finite number.',
    });
  }
}

function buildInput(
  input: WantedInput,
  columns: readonly Column[],
  length: number,
  sizes: Map<string, number>,
  scale: number | undefined,
): Column {
  const { name, type } = input;
  const example = fitShape(exampleShape(columns), input.shape.slice(1), sizes);
  if (example === undefined) throw misfit(input, columns, sizes);

  const shape = [length, ...example];
  const [first] = columns;
  if (columns.length === 1 && first?.type === type && scale === undefined)
    return { ...first, name, shape };

  const stride = sizeOf(example);
  const data = zeros(type, length * stride);
  let offset = 0;
  for (const column of columns) {
    const width = sizeOf(column.shape.slice(1));
    const fault = castInto(column, data, type, { width, stride, offset }, scale);
    if (fault !== undefined) {
      throw new GradwareError(
        'INVALID_DATA',
        `${fault.value} in row ${fault.row} cannot become ${type} for the model input "${name}": expected ${type}, found ${describe(column)}`,
        {
          where: placeOf(column),
          remedy: faultRemedy(fault.value, type),
        },
      );
    }
    offset += width;
  }
  return {
    name,
    type,
    shape,
    data,
    ...(first?.source === undefined ? {} : { source: first.source }),
  };
}

function faultRemedy(value: number | bigint, type: string): string {
  const fraction = typeof value === 'number' && Number.isFinite(value) && !Number.isInteger(value);
  const hint =
    type.includes('int') && fraction
      ? ' Numbers that are no classes are learned with another loss, such as mse.'
      : '';
  return `Correct the data, convert it beforehand, or give another column.${hint}`;
}

function misfit(
  input: WantedInput,
  columns: readonly Column[],
  sizes: ReadonlyMap<string, number>,
): GradwareError {
  const dims = input.shape.slice(1);
  const found = exampleShape(columns);
  const permuted = [...found].sort().join() === [...dims].sort().join();
  const bound = dims.flatMap((dim) =>
    typeof dim === 'string' && sizes.has(dim) ? `${dim} = ${sizes.get(dim)}` : [],
  );
  const because = bound.length > 0 ? ` (another input has ${bound.join(', ')})` : '';
  return new GradwareError(
    'INVALID_DATA',
    `The data does not fit the model input "${input.name}": expected ${describeInput(input)}${because}, found ${describeAll(columns)}`,
    {
      where:
        columns.length === 1
          ? placeOf(columns[0]!)
          : `${columns.length} columns, ${found[0]} values together`,
      remedy: permuted
        ? 'The axes are in another order: transpose the data (channels come first in most models).'
        : `Choose the columns: ${input.name}=<columns>.`,
    },
  );
}
