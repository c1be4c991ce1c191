import { GradwareError } from '@gradware/core';
import { type Zippable, zipSync } from 'fflate';
import { bytesOf, elementBytes, type NdArray, sizeOf, toHostOrder } from './elements.js';
import { NPY_TYPES } from './npy.js';

const CODES: ReadonlyMap<string, string> = new Map(
  Object.entries(NPY_TYPES).map(([code, type]) => [type, code]),
);
/** Zip archives hold a time for each file; a fixed one makes equal archives equal. */
const EPOCH = new Date(1980, 0, 1);

/** A NumPy array file, format version 1.0, as numpy.save writes it.
 *  @throws GradwareError UNSUPPORTED for a type that NumPy does not have, INVALID_DATA when shape and data disagree */
export function writeNpy({ type, shape, data }: NdArray): Uint8Array {
  const code = CODES.get(type);
  if (code === undefined) {
    throw new GradwareError('UNSUPPORTED', `NumPy has no type for ${type}`, {
      remedy: `Convert it to one of ${[...CODES.keys()].join(', ')}.`,
    });
  }
  if (sizeOf(shape) !== data.length) {
    throw new GradwareError(
      'INVALID_DATA',
      `${data.length} values do not make an array of shape [${shape.join(', ')}]`,
    );
  }
  const order = elementBytes(type) === 1 ? '|' : '<';
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dictionary = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${dims}), }`;
  // Values begin at a multiple of 64 bytes.
  const header = `${dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11)}\n`;
  const preamble = [
    0x93,
    ...new TextEncoder().encode('NUMPY'),
    1,
    0,
    header.length & 255,
    header.length >> 8,
  ];

  const bytes = new Uint8Array(preamble.length + header.length + data.byteLength);
  bytes.set(preamble);
  bytes.set(new TextEncoder().encode(header), preamble.length);
  bytes.set(toHostOrder(bytesOf(data), elementBytes(type), true), preamble.length + header.length);
  return bytes;
}

/** A NumPy archive, as numpy.savez writes it; the same arrays always give the same bytes.
 *  @param options.compress whether to deflate, as numpy.savez_compressed does
 *  @throws GradwareError as `writeNpy`; UNSUPPORTED above 4 GiB */
export function writeNpz(
  arrays: ReadonlyMap<string, NdArray>,
  { compress = false }: { readonly compress?: boolean } = {},
): Uint8Array {
  const files: Zippable = {};
  let total = 0;
  for (const [name, array] of arrays) {
    const bytes = writeNpy(array);
    total += bytes.length;
    files[`${name}.npy`] = bytes;
  }
  if (total >= 2 ** 32) {
    throw new GradwareError('UNSUPPORTED', `An archive of ${total} bytes would need zip64`, {
      remedy: 'Write fewer arrays to a file.',
    });
  }
  return zipSync(files, { level: compress ? 6 : 0, mtime: EPOCH });
}
