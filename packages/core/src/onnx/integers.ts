import type { Long } from './generated/messages.js';

/** A 64-bit integer of a message as a number, clamped to ±Number.MAX_SAFE_INTEGER. */
export function toInteger(value: number | Long): number {
  const number = typeof value === 'number' ? value : value.high * 2 ** 32 + (value.low >>> 0);
  return clampInteger(number);
}

/** A 64-bit integer as a number, clamped to ±Number.MAX_SAFE_INTEGER. */
export function clampInteger(value: number | bigint): number {
  const number = Number(value);
  return Math.min(Math.max(number, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

const extremes: ReadonlyMap<number, Long> = new Map([
  [Number.MAX_SAFE_INTEGER, { low: -1, high: 0x7fffffff }],
  [-Number.MAX_SAFE_INTEGER, { low: 0, high: -0x80000000 }],
]);

/** The reverse of `toInteger`: the clamped extremes are written as the extremes of 64 bits again. */
export function fromInteger(value: number): number | Long {
  return extremes.get(value) ?? value;
}
