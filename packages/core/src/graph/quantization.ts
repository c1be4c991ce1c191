import type { DataType, Node } from '../onnx/ir.js';
import type { GraphBuilder, Op } from './builder.js';
import { elementCount, int, normalizeAxis, type Value } from './value.js';

/** The least and the most of the whole numbers that QuantizeLinear rounds to. */
export const quantizedRange: Partial<Readonly<Record<DataType, readonly [number, number]>>> = {
  int4: [-8, 7],
  int8: [-128, 127],
  int16: [-32768, 32767],
  uint4: [0, 15],
  uint8: [0, 255],
  uint16: [0, 65535],
};

/** Whether a node makes quantized numbers of floats. */
export function quantizes({ opType }: Pick<Node, 'opType'>): boolean {
  return opType === 'QuantizeLinear' || opType === 'DynamicQuantizeLinear';
}

/** Ops between a QuantizeLinear and its DequantizeLinear that keep the numbers, or bound them to fewer bits. */
const carriers: ReadonlySet<string> = new Set([
  'Clip',
  'Flatten',
  'Identity',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

export function carriesQuantized({ opType, domain }: Pick<Node, 'opType' | 'domain'>): boolean {
  return domain === '' && carriers.has(opType);
}

/** The node whose quantized numbers a value holds; undefined where they come from elsewhere. */
export function quantizerOf(builder: GraphBuilder, name: string): Node | undefined {
  let node = builder.producer(name);
  while (node !== undefined && carriesQuantized(node))
    node = builder.producer(node.inputs[0] ?? '');
  return node !== undefined && quantizes(node) ? node : undefined;
}

/** A scale or zero point as it is broadcast to what is quantized: one for all, one along an axis, or one for every
 *  block along it. */
export function spreadScale(
  op: Op,
  value: Value,
  shape: readonly number[],
  attributes: Node['attributes'],
): Value {
  const block = int(attributes, 'block_size', 0);
  if (elementCount(value.shape) === 1 && block === 0) return op.reshape(value, []);
  const axis = normalizeAxis(int(attributes, 'axis', 1), shape.length);
  if (value.shape.length < 2) {
    const count = elementCount(value.shape);
    return op.reshape(
      value,
      shape.map((_, a) => (a === axis ? count : 1)),
    );
  }
  const [before, after] = [value.shape.slice(0, axis + 1), value.shape.slice(axis + 1)];
  const wide = op.reshape(value, [...before, 1, ...after]);
  const repeated = op.Expand(wide, op.ints([...before, block, ...after]));
  const length = (value.shape[axis] ?? 0) * block;
  const whole = op.reshape(repeated, [...value.shape.slice(0, axis), length, ...after]);
  return op.slice(whole, axis, 0, shape[axis] ?? 0);
}
