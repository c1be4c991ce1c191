import type { Attribute, DataType, Graph, TensorData } from '../onnx/ir.js';

/** Element type and exact shape: all that a rule has to know of a tensor before it exists. */
export interface TensorType {
  readonly type: DataType;
  readonly shape: readonly number[];
}

/** A tensor in a graph under construction. */
export interface Value extends TensorType {
  readonly name: string;
  /** The parameter that this value is a gradient (or an update) of; kept through maps that keep the shape. */
  readonly parameter?: string | undefined;
}

/** What an op may be given where ONNX wants a tensor: numbers become constants of the type of the first value. */
export type Operand = Value | number | boolean | null | undefined;

/** Attributes as people write them; `toAttributes` finds the ONNX types. */
export type AttributeValue =
  | number
  | boolean
  | string
  | readonly number[]
  | readonly string[]
  | TensorData
  | Graph;
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** Attributes that ONNX declares as floats: a whole number written in JavaScript does not tell. */
const floatAttributes = new Set([
  'alpha',
  'beta',
  'bias',
  'clip',
  'cubic_coeff_a',
  'epsilon',
  'extrapolation_value',
  'gamma',
  'high',
  'lambd',
  'low',
  'max',
  'max_norm',
  'mean',
  'min',
  'momentum',
  'norm_coefficient',
  'ratio',
  'scale',
  'seed',
  'softcap',
  'spatial_scale',
  'value_float',
  'weight_decay',
]);

const floatListAttributes = new Set(['activation_alpha', 'activation_beta', 'value_floats']);

function toAttribute(name: string, value: AttributeValue): Attribute {
  if (typeof value === 'number') return { type: isFloat(name, value) ? 'float' : 'int', value };
  if (typeof value === 'boolean') return { type: 'int', value: value ? 1 : 0 };
  if (typeof value === 'string') return { type: 'string', value };
  if (isList(value)) {
    if (value.length > 0 && typeof value[0] === 'string')
      return { type: 'strings', value: value as readonly string[] };
    return {
      type: floatListAttributes.has(name) ? 'floats' : 'ints',
      value: value as readonly number[],
    };
  }
  return 'dims' in value ? { type: 'tensor', value } : { type: 'graph', value };
}

function isFloat(name: string, value: number): boolean {
  return floatAttributes.has(name) || !Number.isInteger(value);
}

function isList(value: AttributeValue): value is readonly number[] | readonly string[] {
  return Array.isArray(value);
}

/** Attributes as nodes hold them. */
export type PlainAttributes = Readonly<Record<string, Attribute>>;

export function toAttributes(attributes: Attributes): PlainAttributes {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, toAttribute(name, value)] as const],
    ),
  );
}

/** Reads attributes with ONNX's defaults in one expression: `int(attributes, 'axis', -1)`. */
export function int(attributes: PlainAttributes, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute?.type === 'int' ? attribute.value : fallback;
}

export function float(attributes: PlainAttributes, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute?.type === 'float' || attribute?.type === 'int' ? attribute.value : fallback;
}

export function text(attributes: PlainAttributes, name: string, fallback: string): string {
  const attribute = attributes[name];
  return attribute?.type === 'string' ? attribute.value : fallback;
}

export function ints(attributes: PlainAttributes, name: string): readonly number[] | undefined {
  const attribute = attributes[name];
  return attribute?.type === 'ints' ? attribute.value : undefined;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** Counts a negative axis from the end, as ONNX does. */
export function normalizeAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
