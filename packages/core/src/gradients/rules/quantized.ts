import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { quantizedRange, quantizerOf, spreadScale } from '../../graph/quantization.js';
import { elementCount, int, type Value } from '../../graph/value.js';
import type { Node } from '../../onnx/ir.js';
import { type GradientContext, rules } from '../rule.js';

/** The small numbers that bytes hold, lowest bits first: [..., bytes] as [..., bytes · 8 / bits]. */
function unpack(op: Op, bytes: Value, bits: number, type: Value['type']): Value {
  const whole = op.cast(bytes, type);
  if (bits === 8) return whole;
  const base = 2 ** bits;
  const shape = [...bytes.shape, 1];
  const digits: Value[] = [];
  let rest = whole;
  for (let i = 0; i < 8 / bits; i++) {
    const next = op.Floor(op.Div(rest, base));
    digits.push(op.reshape(op.Sub(rest, op.Mul(next, base)), shape));
    rest = next;
  }
  const joined = op.Concat(...digits, { axis: shape.length - 1 });
  const last = ((bytes.shape.at(-1) ?? 0) * 8) / bits;
  return op.reshape(joined, [...bytes.shape.slice(0, -1), last]);
}

/** The weight [N, K] of a product with packed blocks of numbers of few bits. */
function weightOf({ op, x, attributes, has }: GradientContext): Value {
  const [a, packed, scales, zeros] = x;
  const [rows, columns] = [int(attributes, 'N', 0), int(attributes, 'K', 0)];
  const [bits, block] = [int(attributes, 'bits', 4), int(attributes, 'block_size', 32)];
  const blocks = Math.ceil(columns / block);
  const bytes = op.reshape(packed, [rows, blocks, (block * bits) / 8]);
  const flat = (value: Value) => op.slice(op.reshape(value, [rows, blocks * block]), 1, 0, columns);
  const inOrder = unpack(op, bytes, bits, a.type);
  // Columns that the quantizer sorted say themselves which block they are of.
  const numbers = has(4) ? flat(inOrder) : inOrder;
  const spread = (value: Value) =>
    has(4)
      ? op.Gather(op.reshape(value, [rows, blocks]), op.slice(x[4], 0, 0, columns), { axis: 1 })
      : op.reshape(value, [rows, blocks, 1]);
  const given = () => {
    if (zeros.type !== 'uint8') return spread(op.cast(zeros, a.type));
    const rowBytes = elementCount(zeros.shape) / rows;
    const all = unpack(op, op.reshape(zeros, [rows, rowBytes]), bits, a.type);
    return spread(op.slice(all, 1, 0, blocks));
  };
  const centred = op.Sub(numbers, has(3) ? given() : op.scalar(2 ** (bits - 1), a.type));
  const weight = op.Mul(centred, spread(op.cast(scales, a.type)));
  return has(4) ? weight : flat(weight);
}

/** Y = A·Wᵀ + bias, where W stays as it is: what was learnt lies in the scales and in whole numbers. */
function matMulNBits(context: GradientContext): readonly (Value | null)[] {
  const { dy, x, node, op, attributes, has, needs } = context;
  const bits = int(attributes, 'bits', 4);
  // With both, ONNX Runtime's kernel does not heed the zero points.
  const sorted = has(3) && has(4) && 'g_idx and zero points';
  const known = [2, 4, 8].includes(bits);
  const problem = sorted || (needs(2) && 'scales that train') || (!known && `${bits} bits`);
  if (problem)
    throw new GradwareError('NO_GRADIENT', `No gradient is known for MatMulNBits with ${problem}`, {
      where: `node ${node.name}`,
      remedy:
        'Freeze the scales (frozenParams), and quantize to 2, 4 or 8 bits, without zero points where there is g_idx.',
    });
  const rows = op.reshape(dy, [elementCount(dy.shape.slice(0, -1)), dy.shape.at(-1) ?? 0]);
  const da = needs(0) ? op.reshape(op.MatMul(rows, weightOf(context)), x[0].shape) : null;
  const bias = has(5) && needs(5) ? op.sumTo(x[5], dy) : null;
  return [da, null, null, null, null, bias];
}

/** A gradient with regard to scales that were spread over a tensor. */
function ofScale({ x, op, node, attributes }: GradientContext, parts: Value): Value {
  const scale = x[1];
  if (int(attributes, 'block_size', 0) !== 0)
    throw new GradwareError('NO_GRADIENT', 'Scales of blocks of quantized numbers do not train', {
      where: `node ${node.name}`,
      remedy: 'Freeze the scales (frozenParams).',
    });
  const spread = spreadScale(op, scale, parts.shape, attributes);
  return op.reshape(op.sumTo(spread, parts), scale.shape);
}

const wide = (op: Op, value: Value) =>
  value.type === 'float16' || value.type === 'bfloat16' ? op.cast(value, 'float32') : value;

/** Straight through where x lies inside the range of the quantized type, zero outside, as ORT's FakeQuantGrad. */
function quantize(context: GradientContext): readonly (Value | null)[] {
  const { dy, x, y, op, node, attributes, has, needs } = context;
  const range = quantizedRange[y.type];
  if (range === undefined)
    throw new GradwareError('NO_GRADIENT', `No gradient is known for numbers of ${y.type}`, {
      where: `node ${node.name}`,
      remedy: 'Quantize to whole numbers of 4, 8 or 16 bits.',
    });
  const [low, high] = range;
  const numbers = wide(op, x[0]);
  const spread = (value: Value) =>
    spreadScale(op, op.cast(value, numbers.type), x[0].shape, attributes);
  const ratio = op.Div(numbers, spread(x[1]));
  const rounded = op.Round(ratio);
  const level = has(2) ? op.Add(rounded, spread(x[2])) : rounded;
  const inside = op.And(op.GreaterOrEqual(level, low), op.LessOrEqual(level, high));
  const passed = op.Where(inside, dy, 0);
  const dx = op.cast(passed, x[0].type);
  const scales = () => op.Neg(op.Mul(passed, op.cast(ratio, passed.type)));
  return [dx, needs(1) ? op.cast(ofScale(context, scales()), x[1].type) : null];
}

/** The gradient of quantized numbers is that of the floats they stand for: undoing is what needs none. Where they are
 *  taken for others, by another scale, it grows as they do. */
function dequantizePair(context: GradientContext): readonly (Value | null)[] {
  const { dy, x, op, attributes, has, needs, node, builder } = context;
  const quantizer = quantizerOf(builder, node.inputs[0] ?? '');
  const spread = (value: Value) => spreadScale(op, value, x[0].shape, attributes);
  const centred = () => {
    const numbers = op.cast(x[0], dy.type);
    return has(2) ? op.Sub(numbers, spread(op.cast(x[2], dy.type))) : numbers;
  };
  const ds = needs(1) && quantizer?.opType !== 'DynamicQuantizeLinear';
  return [
    quantizer && needs(0) ? rescaled(context, quantizer) : null,
    ds ? op.cast(ofScale(context, op.Mul(dy, centred())), x[1].type) : null,
  ];
}

function rescaled({ dy, x, op, node, builder }: GradientContext, quantizer: Node): Value {
  const made = quantizer.opType === 'DynamicQuantizeLinear' ? quantizer.outputs : quantizer.inputs;
  const first = builder.value(made[1] ?? '');
  if (first.name === x[1].name) return dy;
  const [before, after] = [builder.constant(first), builder.constant(x[1])];
  const same = before?.data.length === after?.data.length;
  if (before && after && same && before.data.every((scale, i) => scale === after.data[i]))
    return dy;
  if (elementCount(first.shape) !== 1 || elementCount(x[1].shape) !== 1)
    throw new GradwareError('NO_GRADIENT', 'Quantized numbers are taken for others', {
      where: `node ${node.name}, whose scales are not those of ${quantizer.name}`,
      remedy: 'Quantize and dequantize with the same scales.',
    });
  const [to, from] = [x[1], first].map((scale) => op.reshape(op.cast(scale, dy.type), []));
  return op.Mul(dy, op.Div(to, from));
}

export const quantized = rules({
  DequantizeLinear: dequantizePair,
  DynamicQuantizeLinear: ({ dy }) => [dy],
  MatMulNBits: matMulNBits,
  QuantizeLinear: quantize,
});
