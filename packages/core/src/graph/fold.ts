import type { DataType, Node, TensorData } from '../onnx/ir.js';
import { numbersOf, tensorOf } from './constants.js';
import { reducedAxes } from './shapes/training.js';
import { elementCount, int, ints, normalizeAxis, type Value } from './value.js';

/** The most elements a folded constant may have: shapes, axes and bounds, never weights. */
const limit = 4096;

interface FoldContext {
  readonly node: Node;
  /** Numbers and shape of constant input i. */
  x(i: number): Folded | undefined;
  /** The type of input i, constant or not. */
  typeOf(i: number): Value | undefined;
}

interface Folded {
  readonly values: readonly number[];
  readonly shape: readonly number[];
}

type FoldRule = (context: FoldContext) => Folded | readonly (Folded | undefined)[] | undefined;

function zip(apply: (a: number, b: number) => number): FoldRule {
  return ({ x }) => {
    const [a, b] = [x(0), x(1)];
    if (a === undefined || b === undefined) return undefined;
    const [scalarA, scalarB] = [a.values.length === 1, b.values.length === 1];
    if (!scalarA && !scalarB && a.values.length !== b.values.length) return undefined;
    const longer = scalarA && !scalarB ? b : a.shape.length >= b.shape.length || !scalarB ? a : b;
    const values = longer.values.map((_, i) =>
      apply(a.values[scalarA ? 0 : i] ?? 0, b.values[scalarB ? 0 : i] ?? 0),
    );
    return { values, shape: longer.shape };
  };
}

function vector(values: readonly number[]): Folded {
  return { values, shape: [values.length] };
}

/** Keeps the values and changes the shape of 0-d and 1-d constants. */
const reshape: FoldRule = ({ node, x }) => {
  const data = x(0);
  if (data === undefined) return undefined;
  const axes = ints(node.attributes, 'axes') ?? x(1)?.values;
  if (node.opType === 'Unsqueeze') {
    if (axes === undefined || data.shape.length + axes.length > 1) return undefined;
    return { values: data.values, shape: [data.values.length] };
  }
  if (node.opType === 'Squeeze')
    return data.values.length === 1 ? { values: data.values, shape: [] } : undefined;
  const wanted = x(1)?.values;
  if (wanted === undefined || wanted.some((dim) => dim === 0)) return undefined;
  const known = wanted.reduce((product, dim) => (dim < 0 ? product : product * dim), 1);
  const shape = wanted.map((dim) => (dim < 0 ? data.values.length / known : dim));
  return elementCount(shape) === data.values.length ? { values: data.values, shape } : undefined;
};

const rules: Readonly<Record<string, FoldRule>> = {
  Identity: ({ x }) => x(0),
  Cast: ({ x }) => x(0),
  Shape: ({ node, typeOf }) => {
    const shape = typeOf(0)?.shape;
    if (shape === undefined) return undefined;
    const end = int(node.attributes, 'end', shape.length);
    return vector(shape.slice(int(node.attributes, 'start', 0), end));
  },
  Size: ({ typeOf }) => {
    const type = typeOf(0);
    return type && { values: [elementCount(type.shape)], shape: [] };
  },
  Gather: ({ node, x }) => {
    const [data, indices] = [x(0), x(1)];
    if (data === undefined || indices === undefined || data.shape.length !== 1) return undefined;
    if (int(node.attributes, 'axis', 0) > 0) return undefined;
    const length = data.values.length;
    return {
      values: indices.values.map((i) => data.values[i < 0 ? i + length : i] ?? 0),
      shape: indices.shape,
    };
  },
  Concat: ({ node, x }) => {
    const parts = node.inputs.map((_, i) => x(i));
    if (!parts.every((part) => part !== undefined && part.shape.length === 1)) return undefined;
    return vector(parts.flatMap((part) => part?.values ?? []));
  },
  Slice: ({ x }) => {
    const [data, starts, ends, axes, steps] = [x(0), x(1), x(2), x(3), x(4)];
    if (data?.shape.length !== 1 || starts?.values.length !== 1 || ends?.values.length !== 1)
      return undefined;
    if ((axes?.values[0] ?? 0) > 0 || (steps?.values[0] ?? 1) !== 1) return undefined;
    return vector(data.values.slice(starts.values[0], ends.values[0]));
  },
  Squeeze: reshape,
  Unsqueeze: reshape,
  Reshape: reshape,
  Add: zip((a, b) => a + b),
  Sub: zip((a, b) => a - b),
  Mul: zip((a, b) => a * b),
  Max: zip(Math.max),
  Min: zip(Math.min),
  Equal: zip((a, b) => (a === b ? 1 : 0)),
  Div: (context) => {
    const integer = context.typeOf(0)?.type.includes('int') ?? false;
    return zip((a, b) => (integer ? Math.trunc(a / b) : a / b))(context);
  },
  Mod: zip((a, b) => a - Math.floor(a / b) * b),
  Where: ({ x }) => {
    const [condition, a, b] = [x(0), x(1), x(2)];
    if (condition === undefined || a === undefined || b === undefined) return undefined;
    const parts = [condition, a, b];
    const length = Math.max(...parts.map((part) => part.values.length));
    if (parts.some(({ values }) => values.length !== 1 && values.length !== length))
      return undefined;
    const at = (part: Folded, i: number) => part.values[part.values.length === 1 ? 0 : i] ?? 0;
    const values = Array.from({ length }, (_, i) => (at(condition, i) !== 0 ? at(a, i) : at(b, i)));
    return {
      values,
      shape: parts.find((part) => part.values.length === length)?.shape ?? [],
    };
  },
  ReduceProd: ({ node, x }) => {
    const data = x(0);
    if (data?.shape.length !== 1) return undefined;
    const keep = int(node.attributes, 'keepdims', 1) === 1;
    return { values: [data.values.reduce((a, b) => a * b, 1)], shape: keep ? [1] : [] };
  },
  ConstantOfShape: ({ node, x }) => {
    const shape = x(0)?.values;
    if (shape === undefined || elementCount(shape) > limit) return undefined;
    const given = node.attributes.value;
    const value = given?.type === 'tensor' ? numbersOf(given.value)?.[0] : 0;
    return value === undefined
      ? undefined
      : { values: Array(elementCount(shape)).fill(value), shape };
  },
  Range: ({ x }) => {
    const [start, end, step] = [x(0)?.values[0], x(1)?.values[0], x(2)?.values[0]];
    if (start === undefined || end === undefined || step === undefined) return undefined;
    const length = Math.max(0, Math.ceil((end - start) / step));
    return length > limit ? undefined : vector(Array.from({ length }, (_, i) => start + i * step));
  },
  Expand: ({ x }) => {
    const [data, shape] = [x(0), x(1)?.values];
    if (data?.values.length !== 1 || shape === undefined || elementCount(shape) > limit)
      return undefined;
    return { values: Array(elementCount(shape)).fill(data.values[0]), shape };
  },
  BroadcastGradientArgs: ({ x }) => {
    const [a, b] = [x(0)?.values, x(1)?.values];
    if (a === undefined || b === undefined) return undefined;
    return [vector(reducedAxes(a, b)), vector(reducedAxes(b, a))];
  },
  ConcatTraining: ({ node, typeOf }) => {
    const lengths = node.inputs.map((_, i) => {
      const shape = typeOf(i)?.shape ?? [];
      return shape[normalizeAxis(int(node.attributes, 'axis', 0), shape.length)] ?? 0;
    });
    return [undefined, vector(lengths)];
  },
  FlattenAndUnpad: ({ typeOf }) => [undefined, vector(typeOf(0)?.shape.slice(0, 2) ?? [])],
};

/** The value of output `name` of a node, if it follows from constants and shapes alone. Integers, bools and
 *  a handful of floats: what shapes and axes are made of. */
export function foldNode(
  node: Node,
  name: string,
  typeOf: (name: string) => Value | undefined,
  constantOf: (name: string) => TensorData | undefined,
): TensorData | undefined {
  if (node.opType === 'Constant') return constantAttribute(node);
  const rule = Object.hasOwn(rules, node.opType) ? rules[node.opType] : undefined;
  const type = typeOf(name);
  if (rule === undefined || type === undefined || elementCount(type.shape) > limit)
    return undefined;
  const result = rule({
    node,
    x: (i) => {
      const tensor = node.inputs[i] ? constantOf(node.inputs[i]) : undefined;
      if (tensor === undefined || elementCount(tensor.dims) > limit) return undefined;
      const values = numbersOf(tensor);
      return values && { values, shape: tensor.dims };
    },
    typeOf: (i) => (node.inputs[i] ? typeOf(node.inputs[i]) : undefined),
  });
  const folded = Array.isArray(result)
    ? result[node.outputs.indexOf(name)]
    : (result as Folded | undefined);
  if (folded === undefined || folded.values.length !== elementCount(type.shape)) return undefined;
  if (!type.type.includes('int')) return tensorOf(type.type, folded.values, type.shape);
  const values: readonly number[] = folded.values.map(Math.trunc);
  // Arithmetic that wraps around is left to ONNX Runtime.
  const [low, high] = ranges[type.type] ?? [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
  if (values.some((value) => !(value >= low && value <= high))) return undefined;
  return tensorOf(type.type, values, type.shape);
}

const ranges: Readonly<Partial<Record<DataType, readonly [low: number, high: number]>>> = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

/** The tensor that a Constant node holds, whichever attribute it uses. */
export function constantAttribute(node: Node): TensorData | undefined {
  const { value, value_int, value_ints, value_float, value_floats } = node.attributes;
  if (value?.type === 'tensor') return value.value;
  if (value_int?.type === 'int') return tensorOf('int64', [value_int.value], []);
  if (value_ints?.type === 'ints') return tensorOf('int64', value_ints.value);
  if (value_float?.type === 'float') return tensorOf('float32', [value_float.value], []);
  if (value_floats?.type === 'floats') return tensorOf('float32', value_floats.value);
  return undefined;
}
