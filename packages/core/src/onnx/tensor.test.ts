import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import { byteLength, elementCount } from './element-types.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './float16.js';
import { makeTensor, scalar, tensorBytes, tensorFromBytes, zeros } from './tensor.js';

test('every 16-bit pattern survives the way to a number and back', () => {
  const patterns = Array.from({ length: 65536 }, (_, pattern) => pattern);
  const survives =
    (from: (pattern: number) => number, to: (value: number) => number) => (pattern: number) =>
      Number.isNaN(from(pattern)) || to(from(pattern)) === pattern;
  expect(patterns.every(survives(fromFloat16, toFloat16))).toBe(true);
  expect(patterns.every(survives(fromBfloat16, toBfloat16))).toBe(true);
});

test.each([
  [1, 0x3c00],
  [65504, 0x7bff],
  [65519.99, 0x7bff],
  [65520, 0x7c00],
  [Number.NEGATIVE_INFINITY, 0xfc00],
  [2 ** -24, 1],
  [2 ** -25, 0],
  [2 ** -25 * 1.01, 1],
  [2 ** -14 - 2 ** -25, 0x400],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  // Rounded to float32 first, it would be a tie and go to even.
  [1 + 2 ** -11 + 2 ** -40, 0x3c01],
  [-0, 0x8000],
])('%d rounds to a float16 half to even', (value, pattern) => {
  expect(toFloat16(value)).toBe(pattern);
});

test('not-a-numbers stay so', () => {
  expect(fromFloat16(toFloat16(Number.NaN))).toBeNaN();
  expect(fromBfloat16(toBfloat16(Number.NaN))).toBeNaN();
});

test('sizes are those of the element types', () => {
  expect(elementCount([])).toBe(1);
  expect(elementCount([2, 0, 3])).toBe(0);
  expect(byteLength('float64', [2, 3])).toBe(48);
  expect(byteLength('int4', [3])).toBe(2);
  expect(byteLength('complex128', [2])).toBe(32);
  expect(zeros('float16', [3]).data).toEqual(new Uint16Array(3));
  expect(zeros('complex64', [2]).data).toEqual(new Uint8Array(16));
  expect(zeros('string', [2]).data).toEqual(['', '']);
});

test('values are converted to the array of their type', () => {
  expect(makeTensor('int64', [2], [1, -2n]).data).toEqual(BigInt64Array.of(1n, -2n));
  expect(makeTensor('bool', [2], [true, 0]).data).toEqual(Uint8Array.of(1, 0));
  expect(makeTensor('float16', [1], [1]).data).toEqual(Uint16Array.of(0x3c00));
  expect(makeTensor('float32', [2], Float64Array.of(1, 2)).data).toEqual(Float32Array.of(1, 2));
  expect(scalar('float32', 2)).toEqual({ type: 'float32', dims: [], data: Float32Array.of(2) });
  const own = Float32Array.of(1);
  expect(makeTensor('float32', [1], own).data).toBe(own);
});

test.each<[string, () => unknown]>([
  ['too few values', () => makeTensor('float32', [2], [1])],
  ['a fraction as an integer', () => makeTensor('int32', [1], [1.5])],
  ['an integer out of range', () => makeTensor('uint8', [1], [256])],
  ['an int64 out of range', () => makeTensor('int64', [1], [2n ** 63n])],
  ['a negative uint64', () => makeTensor('uint64', [1], [-1])],
  ['a number as a string', () => makeTensor('string', [1], [1])],
  ['a string as a number', () => makeTensor('float32', [1], ['1'])],
  ['a negative dimension', () => elementCount([-1])],
  ['a fractional dimension', () => elementCount([0.5])],
  ['the bytes of strings', () => tensorBytes(makeTensor('string', [1], ['a']))],
])('%s is refused', (_, run) => {
  expect(run).toThrow(GradwareError);
});

test('bytes are viewed where aligned and copied where not', () => {
  const bytes = new Uint8Array(9);
  const isView = (part: Uint8Array): boolean => {
    const { data } = tensorFromBytes('float32', [2], part);
    return ArrayBuffer.isView(data) && data.buffer === bytes.buffer;
  };
  expect(isView(bytes.subarray(0, 8))).toBe(true);
  expect(isView(bytes.subarray(1))).toBe(false);
  expect(() => tensorFromBytes('float32', [2], bytes)).toThrow('needs 8 bytes, not 9');
});
