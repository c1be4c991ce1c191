import { isFloatType } from './element-types.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './float16.js';
import type { FloatType, TensorData } from './ir.js';
import { makeTensor } from './tensor.js';

/** How the values of a type become numbers; undefined where they are. */
const decoders: Readonly<Record<FloatType, ((pattern: number) => number) | undefined>> = {
  float32: undefined,
  float64: undefined,
  float16: fromFloat16,
  bfloat16: fromBfloat16,
};

const encoders: Readonly<Record<FloatType, ((value: number) => number) | undefined>> = {
  float32: undefined,
  float64: undefined,
  float16: toFloat16,
  bfloat16: toBfloat16,
};

/** A tensor of floats as one of another floating-point type, each value rounded to the nearest (ties to even); the
 *  same tensor where it is of that type already. */
export function convertFloats(tensor: TensorData, type: FloatType): TensorData {
  if (tensor.type === type || !isFloatType(tensor.type)) return tensor;
  const decode = decoders[tensor.type];
  const encode = encoders[type];
  const given = tensor.data as Float32Array | Float64Array | Uint16Array;
  const array = { float32: Float32Array, float64: Float64Array }[type as 'float32'] ?? Uint16Array;
  const data = new array(given.length);
  for (let i = 0; i < given.length; i++) {
    const value = decode === undefined ? (given[i] ?? 0) : decode(given[i] ?? 0);
    data[i] = encode === undefined ? value : encode(value);
  }
  return makeTensor(type, tensor.dims, data);
}

/** The numbers of a tensor that ONNX Runtime gave: of 16-bit floats it may give the patterns. */
export function numbersOf(
  tensor: { readonly type: string; readonly data: unknown } | undefined,
): Float32Array {
  const { type, data = [] } = tensor ?? {};
  const decode = data instanceof Uint16Array ? decoders[type as FloatType] : undefined;
  return decode ? Float32Array.from(data as Uint16Array, decode) : (data as Float32Array);
}
