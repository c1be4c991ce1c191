import { GradwareError } from '../../errors.js';
import type { Op } from '../../graph/builder.js';
import { elementCount, int, type Value } from '../../graph/value.js';
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
  const perBlock = [rows, blocks, 1];
  const bytes = op.reshape(packed, [rows, blocks, (block * bits) / 8]);
  const numbers = unpack(op, bytes, bits, a.type);
  const given = () => {
    if (zeros.type !== 'uint8') return op.reshape(op.cast(zeros, a.type), perBlock);
    const rowBytes = elementCount(zeros.shape) / rows;
    const all = unpack(op, op.reshape(zeros, [rows, rowBytes]), bits, a.type);
    return op.reshape(op.slice(all, 1, 0, blocks), perBlock);
  };
  const centred = op.Sub(numbers, has(3) ? given() : op.scalar(2 ** (bits - 1), a.type));
  const weight = op.Mul(centred, op.reshape(op.cast(scales, a.type), perBlock));
  return op.slice(op.reshape(weight, [rows, blocks * block]), 1, 0, columns);
}

/** Y = A·Wᵀ + bias, where W stays as it is: what was learnt lies in the scales and in whole numbers. */
function matMulNBits(context: GradientContext): readonly (Value | null)[] {
  const { dy, x, node, op, attributes, has, needs } = context;
  const bits = int(attributes, 'bits', 4);
  if (has(4) || needs(2) || ![2, 4, 8].includes(bits))
    throw new GradwareError(
      'NO_GRADIENT',
      `No gradient is known for MatMulNBits with ${has(4) ? 'g_idx' : needs(2) ? 'scales that train' : `${bits} bits`}`,
      {
        where: `node ${node.name}`,
        remedy: 'Freeze the scales (frozenParams), and quantize to 2, 4 or 8 bits without g_idx.',
      },
    );
  const rows = op.reshape(dy, [elementCount(dy.shape.slice(0, -1)), dy.shape.at(-1) ?? 0]);
  const da = needs(0) ? op.reshape(op.MatMul(rows, weightOf(context)), x[0].shape) : null;
  const bias = has(5) && needs(5) ? op.sumTo(x[5], dy) : null;
  return [da, null, null, null, null, bias];
}

export const quantized = rules({ MatMulNBits: matMulNBits });
