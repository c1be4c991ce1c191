import type { DataType, Node, TensorData } from '../onnx/ir.js';
import { numbersOf, tensorOf } from './constants.js';
import { gradware } from './dialect.js';
import { elementwiseFolds } from './folding/elementwise.js';
import { layoutFolds } from './folding/layout.js';
import { type FoldRule, foldLimit } from './folding/rule.js';
import { shapeFolds } from './folding/shapes.js';
import { elementCount, type Value } from './value.js';

const rules: Readonly<Record<string, FoldRule>> = {
  ...elementwiseFolds,
  ...layoutFolds,
  ...shapeFolds,
};

const domains: ReadonlySet<string> = new Set(['', 'com.microsoft', gradware]);

/** Whether the outputs of a node may follow from constants and shapes. */
export function foldRuleOf({ opType, domain }: Node): FoldRule | undefined {
  return domains.has(domain) && Object.hasOwn(rules, opType) ? rules[opType] : undefined;
}

/** The value of output `name` of a node, if it follows from constants and shapes alone. Integers, bools and
 *  a handful of floats: what shapes and axes are made of. */
export function foldNode(
  node: Node,
  name: string,
  typeOf: (name: string) => Value | undefined,
  constantOf: (name: string) => TensorData | undefined,
): TensorData | undefined {
  if (node.opType === 'Constant') return constantAttribute(node);
  const rule = foldRuleOf(node);
  const type = typeOf(name);
  if (rule === undefined || type === undefined || elementCount(type.shape) > foldLimit)
    return undefined;
  const folded = rule({
    node,
    at: node.outputs.indexOf(name),
    shape: type.shape,
    x: (i) => {
      const tensor = node.inputs[i] ? constantOf(node.inputs[i]) : undefined;
      if (tensor === undefined || elementCount(tensor.dims) > foldLimit) return undefined;
      const values = numbersOf(tensor);
      return values && { values, shape: tensor.dims };
    },
    typeOf: (i) => (node.inputs[i] ? typeOf(node.inputs[i]) : undefined),
    shapeOf: (i) => (node.outputs[i] ? typeOf(node.outputs[i])?.shape : undefined),
  });
  if (folded === undefined || folded.length !== elementCount(type.shape)) return undefined;
  if (!type.type.includes('int')) return tensorOf(type.type, folded, type.shape);
  const values = folded.map(Math.trunc);
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
