import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import type { DataType } from '../onnx/ir.js';
import { makeTensor } from '../onnx/tensor.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';

const types: readonly DataType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint64',
  'uint32',
  'uint16',
  'uint8',
  'bool',
];

const refusal = (bytes: Uint8Array): string => {
  try {
    decodeSafetensors(bytes, 'f.safetensors');
  } catch (error) {
    if (!(error instanceof GradwareError)) throw error;
    expect(error.code).toBe('INVALID_CHECKPOINT');
    expect(error.where).toContain('f.safetensors');
    return error.message;
  }
  throw new Error('nothing was thrown');
};

/** A file with a header as given, and values of some length. */
function file(header: string, values = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + text.length + values);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

test('every type survives, aligned, with its metadata', () => {
  const tensors = new Map(types.map((type) => [`t/${type}`, makeTensor(type, [3], [0, 1, 1])]));
  tensors.set('empty', makeTensor('float32', [0, 2], []));
  tensors.set('scalar "q"', makeTensor('int8', [], [-1]));
  const bytes = encodeSafetensors({ tensors, metadata: { note: 'größer' } });
  const read = decodeSafetensors(bytes);
  expect(read.metadata).toEqual({ note: 'größer' });
  expect(new Map([...read.tensors].sort())).toEqual(new Map([...tensors].sort()));
  for (const { data } of read.tensors.values()) {
    expect(ArrayBuffer.isView(data) && data.buffer).toBe(bytes.buffer);
  }
});

test('a file as the reference implementation writes it is read', () => {
  const bytes = file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ', 4);
  bytes.set(new Uint8Array(Float32Array.of(1.5).buffer), bytes.length - 4);
  expect(decodeSafetensors(bytes)).toEqual({
    tensors: new Map([['a', makeTensor('float32', [1], [1.5])]]),
    metadata: {},
  });
});

const entry = (shape: string, offsets: string, dtype = '"U8"'): string =>
  `{"dtype":${dtype},"shape":${shape},"data_offsets":${offsets}}`;

test.each<[string, Uint8Array, string]>([
  ['no header', new Uint8Array(4), 'at least 8 bytes'],
  ['a header beyond the file', file('{}').subarray(0, 9), 'should have 2 bytes, of 1'],
  ['a header that is no JSON', file('{"a"'), 'not JSON'],
  ['a header that is no UTF-8', file('{}').fill(0xff, 8), 'not JSON'],
  ['a header that is a list', file('[]'), 'no object'],
  ['a header that begins with a space', file(' {}'), 'no object'],
  [
    'a key twice',
    file(`{"a":${entry('[1]', '[0,1]')},"a":${entry('[1]', '[0,1]')}}`, 1),
    '"a" twice',
  ],
  ['a key twice in an entry', file('{"a":{"dtype":"U8","dtype":"I8"}}'), '"dtype" twice'],
  ['an escaped key twice', file(`{"a":${entry('[0]', '[0,0]')},"\\u0061":1}`), '"a" twice'],
  ['an unknown type', file(`{"a":${entry('[1]', '[0,1]', '"Q8"')}}`, 1), 'unknown type "Q8"'],
  ['a negative shape', file(`{"a":${entry('[-1]', '[0,1]')}}`, 1), 'the shape [-1]'],
  ['a fractional shape', file(`{"a":${entry('[1.5]', '[0,1]')}}`, 1), 'the shape [1.5]'],
  [
    'a huge shape',
    file(`{"a":${entry('[4294967296,4294967296]', '[0,1]')}}`, 1),
    'more values than',
  ],
  ['too few bytes', file(`{"a":${entry('[2]', '[0,1]')}}`, 1), 'needs 2 bytes, not 1'],
  ['offsets backwards', file(`{"a":${entry('[1]', '[1,0]')}}`, 1), 'needs 1 bytes, not -1'],
  ['offsets of three', file(`{"a":${entry('[1]', '[0,1,2]')}}`, 1), 'data_offsets [0,1,2]'],
  ['values beyond the file', file(`{"a":${entry('[2]', '[0,2]')}}`, 1), 'end at byte 2 of the 1'],
  ['a gap', file(`{"a":${entry('[1]', '[1,2]')}}`, 2), 'leave a gap at byte 0'],
  ['an overlap', file(`{"a":${entry('[2]', '[0,2]')},"b":${entry('[2]', '[1,3]')}}`, 3), 'overlap'],
  ['bytes of no tensor', file('{}', 3), '3 bytes at the end'],
  ['metadata that are no strings', file('{"__metadata__":{"n":1}}'), 'metadata "n" is no string'],
])('a file with %s is refused', (_, bytes, problem) => {
  expect(refusal(bytes)).toContain(problem);
});

test('a header of absurd length is refused before it is read', () => {
  const bytes = file('{}');
  new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true);
  expect(refusal(bytes)).toContain('header');
});

test('strings have no place in the format', () => {
  const tensors = new Map([['s', makeTensor('string', [1], ['a'])]]);
  expect(() => encodeSafetensors({ tensors, metadata: {} })).toThrow(/no string tensors/);
});
