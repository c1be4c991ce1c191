import { GradwareError } from '@gradware/core';
import { toHostOrder } from './elements.js';
import { readNpyHeader } from './npy.js';

/** Reads a one-dimensional NumPy array of text ('<U8') or of byte strings in UTF-8 ('|S8').
 *  @returns undefined for an array of anything else
 *  @throws GradwareError INVALID_DATA for a damaged file */
export function decodeNpyText(bytes: Uint8Array, where: string): readonly string[] | undefined {
  const { descr, shape, body } = readNpyHeader(bytes, where);
  const [, order = '', kind = '', digits = ''] = /^([<>|=])([US])(\d+)$/.exec(descr) ?? [];
  const [length] = shape;
  if (kind === '' || shape.length !== 1 || length === undefined) return undefined;
  const size = Number(digits) * (kind === 'U' ? 4 : 1);
  if (length * size !== body.length) {
    throw new GradwareError(
      'INVALID_DATA',
      `The header announces ${length} texts of ${size} bytes, but ${body.length} bytes follow`,
      { where, remedy: 'The file is cut off or damaged: fetch or write it again.' },
    );
  }
  const read = kind === 'U' ? fromUtf32(order !== '>') : fromUtf8;
  return Array.from({ length }, (_, i) => read(body.subarray(i * size, (i + 1) * size)));
}

/** NumPy fills texts up with zeros. */
function fromUtf8(bytes: Uint8Array): string {
  const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
  return new TextDecoder().decode(bytes.subarray(0, end));
}

function fromUtf32(littleEndian: boolean): (bytes: Uint8Array) => string {
  return (bytes) => {
    const points = new Uint32Array(toHostOrder(bytes, 4, littleEndian).slice().buffer);
    const end = points.findLastIndex((point) => point !== 0) + 1;
    const valid = (point: number) => (point <= 0x10ffff ? point : 0xfffd);
    return String.fromCodePoint(...[...points.subarray(0, end)].map(valid));
  };
}
