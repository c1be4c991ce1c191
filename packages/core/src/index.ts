export * from './errors.js';
export { elementTypes } from './onnx/element-types.js';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './onnx/float16.js';
export type { DataType, Dim, TypedArray } from './onnx/ir.js';
