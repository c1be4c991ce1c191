/** Conversions between JavaScript numbers and the bit patterns of the 16-bit float types, rounding to nearest even. */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

const exponentOffset = 127 - 15;

/** The IEEE 754 binary16 bit pattern nearest to a number. */
export function toFloat16(value: number): number {
  float[0] = value;
  const pattern = bits[0] ?? 0;
  const sign = (pattern >>> 16) & 0x8000;
  const magnitude = pattern & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  const exponent = (magnitude >>> 23) - exponentOffset;
  if (exponent >= 31) return sign | 0x7c00;
  // Rounded from the number itself: rounding a float32 again would round twice.
  const absolute = Math.abs(value);
  // The gap between neighbours is 2^(exponent - 25), and 2^-24 among the subnormals.
  const step = 2 ** (Math.max(exponent, 1) - 25);
  const rounded = roundHalfEven(absolute / step);
  // `rounded` counts steps from zero of this binade; a carry into the next one is right by construction.
  const base = exponent > 0 ? (exponent - 1) << 10 : 0;
  return sign | Math.min(base + rounded, 0x7c00);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest > 0.5 ? floor + 1 : floor;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The number that an IEEE 754 binary16 bit pattern stands for. */
export function fromFloat16(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 31;
  const fraction = pattern & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The bfloat16 bit pattern nearest to a number (first rounded to float32, as frameworks do). */
export function toBfloat16(value: number): number {
  float[0] = value;
  const pattern = bits[0] ?? 0;
  if (Number.isNaN(value)) return ((pattern >>> 16) & 0x8000) | 0x7fc0;
  return ((pattern + 0x7fff + ((pattern >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that a bfloat16 bit pattern stands for. */
export function fromBfloat16(pattern: number): number {
  bits[0] = (pattern << 16) >>> 0;
  return float[0] ?? 0;
}
