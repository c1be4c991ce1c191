import { expect, test } from 'vitest';
import { decodeNpy } from './npy.js';

function npy(header: string, body: number[], version = 1): Uint8Array {
  const text = [...new TextEncoder().encode(header)];
  return Uint8Array.of(
    0x93,
    ...new TextEncoder().encode('NUMPY'),
    version,
    0,
    text.length,
    0,
    ...text,
    ...body,
  );
}

const header = (descr: string, shape: string, order = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }\n`;

test('values that lie unaligned in the file are copied, not refused', () => {
  const { data } = decodeNpy(npy(header('<i4', '(1,)'), [1, 2, 0, 0]));
  expect(data).toEqual(Int32Array.of(513));
});

test("Python 2's long integers and double quotes", () => {
  const bytes = npy(`{"descr": ">u2", "fortran_order": False, "shape": (2L, 1L)}`, [1, 2, 0, 3]);
  expect(decodeNpy(bytes)).toEqual({ type: 'uint16', shape: [2, 1], data: Uint16Array.of(258, 3) });
});

test.each([
  [
    'too few bytes',
    npy(header('<f4', '(2,)'), [0, 0, 0, 0]),
    /announces float32 \[2\], 8 bytes, but 4/,
  ],
  ['too many bytes', npy(header('<f4', '(1,)'), [0, 0, 0, 0, 0]), /4 bytes, but 5/],
  [
    'a huge shape',
    npy(header('<f8', '(4000000000, 4000000000, 4000000000)'), [0]),
    /but 1 bytes follow/,
  ],
  [
    'a huge shape beside a zero',
    npy(header('<f8', `(0, ${'9'.repeat(15)}, ${'9'.repeat(15)})`), [0]),
    /but 1 bytes/,
  ],
  ['a dimension beyond counting', npy(header('|u1', '(99999999999999999999,)'), [0]), /shape/],
  ['a negative dimension', npy(header('|u1', '(-1,)'), [0]), /shape/],
  ['no shape', npy("{'descr': '<f4', 'fortran_order': False}", []), /no readable shape/],
  ['no order', npy("{'descr': '<f4', 'shape': (0,)}", []), /no readable fortran_order/],
  [
    'a header beyond the end',
    npy(header('<f4', '(2,)'), []).subarray(0, 30),
    /a header of \d+ bytes/,
  ],
  ['an unknown version', npy(header('<f4', '(0,)'), [], 9), /version 9/],
  ['nothing but the magic', npy('', []).subarray(0, 7), /no header/],
  ['another file', Uint8Array.of(1, 2, 3), /does not begin/],
  ['an empty file', new Uint8Array(0), /does not begin/],
  ['a bool that is neither', npy(header('|b1', '(2,)'), [1, 2]), /element 1 of a bool array is 2/],
])('refuses %s', (_, bytes, message) => {
  expect(() => decodeNpy(bytes, 'x.npy')).toThrow(message);
  expect(() => decodeNpy(bytes, 'x.npy')).toThrow(
    expect.objectContaining({ code: 'INVALID_DATA' }),
  );
});

test.each([
  ['|O', 'pickled'],
  ['<U3', 'text'],
  ['|S3', 'byte strings'],
  ['<c8', 'complex'],
  ['<M8[D]', 'dates'],
  ['<f16', 'type "<f16"'],
  ['!f4', 'type "!f4"'],
])('refuses elements of type %s and says what they are', (descr, kind) => {
  const bytes = npy(header(descr, '(0,)'), []);
  expect(() => decodeNpy(bytes)).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining(kind) }),
  );
});

test('refuses records', () => {
  const bytes = npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (0,)}", []);
  expect(() => decodeNpy(bytes)).toThrow(/holds records/);
});
