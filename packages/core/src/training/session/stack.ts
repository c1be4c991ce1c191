import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { elementCount } from '../../graph/value.js';
import type { DataType, TypedArray } from '../../onnx/ir.js';
import { zeros } from '../../onnx/tensor.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor, toTensor } from '../../runtime/tensors.js';
import { names } from '../../step/program.js';
import type { Feeds, Rows } from '../api.js';

export function isRows(given: readonly Feeds[] | Rows): given is Rows {
  return 'rows' in Object(given);
}

/** Puts K batches of one shape on top of each other: [K, ...]. */
export function stackBatches(runtime: Runtime, batches: readonly Feeds[]): Feeds {
  const [first] = batches;
  if (first === undefined) return {};
  return Object.fromEntries(
    Object.entries(first).map(([name, { type, dims }]) => {
      const all = zeros(type as DataType, [batches.length, ...dims]);
      const size = elementCount(dims);
      batches.forEach((batch, k) => {
        const own = fromTensor(batch[name] as Tensor);
        (all.data as Float32Array).set(own.data as Float32Array, k * size);
      });
      return [names.stacked(name), toTensor(runtime.Tensor, all)];
    }),
  );
}

/** A number of no axes is the same for all rows. */
const hasRows = ({ dims }: Tensor) => dims.length > 0;

/** @throws GradwareError INVALID_DATA for data sets of different lengths, steps without rows, or rows that do not
 *  exist */
export function checkRows({ data, rows }: Rows): void {
  const lengths = Object.entries(data ?? {}).flatMap(([name, tensor]) =>
    hasRows(tensor) ? [[name, tensor.dims[0] ?? 0] as const] : [],
  );
  const length = lengths[0]?.[1] ?? 0;
  const other = lengths.find(([, own]) => own !== length);
  if (other !== undefined)
    throw new GradwareError(
      'INVALID_DATA',
      `The input "${other[0]}" has ${other[1]} examples, and "${lengths[0]?.[0]}" has ${length}`,
      { remedy: 'Give data sets in which row i of each belongs to the same example.' },
    );
  rows.forEach((own, k) => {
    if (!own?.length)
      throw new GradwareError('INVALID_DATA', 'A step takes no rows', {
        where: `step ${k}`,
        remedy: 'Leave empty batches out.',
      });
    for (let i = 0; i < own.length; i++) {
      const row = own[i] as number;
      if (!Number.isInteger(row) || row < 0 || row >= length)
        throw new GradwareError('INVALID_DATA', `The data has no row ${row}: it has ${length}`, {
          where: `step ${k}`,
          remedy: 'Rows are whole numbers from 0.',
        });
    }
  });
}

/** Data sets as they are, and the rows of each step: [K, B]. */
export function rowFeeds(runtime: Runtime, { data, rows }: Rows): Feeds {
  const size = rows[0]?.length ?? 0;
  const all = new Int32Array(rows.length * size);
  rows.forEach((own, k) => {
    all.set(own, k * size);
  });
  const feeds: Record<string, Tensor> = {
    [names.rows]: toTensor(runtime.Tensor, { type: 'int32', data: all, dims: [rows.length, size] }),
  };
  for (const [name, tensor] of Object.entries(data)) feeds[names.dataset(name)] = tensor;
  return feeds;
}

/** The batch of one step: rows taken from every data set. */
export function takeRows(runtime: Runtime, data: Feeds, rows: ArrayLike<number>): Feeds {
  return Object.fromEntries(
    Object.entries(data).map(([name, tensor]) => {
      if (!hasRows(tensor)) return [name, tensor];
      const { type, dims, data: source } = fromTensor(tensor);
      const size = elementCount(dims.slice(1));
      const taken = zeros(type, [rows.length, ...dims.slice(1)]);
      const from = source as Float32Array;
      const to = taken.data as TypedArray as Float32Array;
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i] as number;
        to.set(from.subarray(row * size, (row + 1) * size), i * size);
      }
      return [name, toTensor(runtime.Tensor, taken)];
    }),
  );
}

/** The shapes of one step's batch. */
export function batchDims(
  given: readonly Feeds[] | Rows,
): readonly (readonly [string, Tensor['type'], readonly number[]])[] {
  if (isRows(given)) {
    const size = given.rows[0]?.length ?? 0;
    return Object.entries(given.data).map(([name, tensor]) => [
      name,
      tensor.type,
      hasRows(tensor) ? [size, ...tensor.dims.slice(1)] : [],
    ]);
  }
  return Object.entries(given[0] ?? {}).map(([name, { type, dims }]) => [name, type, dims]);
}
