import type { Op } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { loadedForms } from '../../graph/decompose/index.js';
import { reachedPads, windowOf } from '../../graph/shapes/compute.js';
import {
  elementCount,
  float,
  int,
  ints,
  normalizeAxis,
  sameShape,
  text,
  type Value,
} from '../../graph/value.js';
import { type LoweringContext, type LoweringRule, lowerings } from '../rule.js';
import { lookUpInt32 } from './labels.js';

/** Remainders: of the sign of the divisor, or with `fmod` of the dividend. */
function mod({ op, x: [a, b], attributes }: LoweringContext): Value | undefined {
  if (a.type === 'float32') {
    const [size, divisor] = [op.Abs(a), op.Abs(b)];
    const rest = op.Sub(size, op.Mul(divisor, op.Floor(op.Div(size, divisor))));
    return op.Where(op.Less(a, 0), op.Neg(rest), rest);
  }
  if (a.type !== 'int32') return undefined;
  const rest = op.Sub(a, op.Mul(b, op.Div(a, b)));
  if (int(attributes, 'fmod', 0) === 1) return rest;
  return op.Where(op.Less(op.Mul(rest, b), op.scalar(0, 'int32')), op.Add(rest, b), rest);
}

function shrink({ op, x: [data], attributes }: LoweringContext): Value {
  const [threshold, bias] = [float(attributes, 'lambd', 0.5), float(attributes, 'bias', 0)];
  const above = op.Where(op.Greater(data, threshold), op.Sub(data, bias), 0);
  return op.Where(op.Less(data, -threshold), op.Add(data, bias), above);
}

function spaceToDepth({ op, x: [data], attributes }: LoweringContext): Value {
  const size = int(attributes, 'blocksize', 1);
  const [batch = 0, channels = 0, height = 0, width = 0] = data.shape;
  const [rows, columns] = [height / size, width / size];
  const blocks = op.reshape(data, [batch, channels, rows, size, columns, size]);
  const moved = op.transpose(blocks, [0, 3, 5, 1, 2, 4]);
  return op.reshape(moved, [batch, channels * size * size, rows, columns]);
}

function groupNormalization({ op, x: [data, scale, bias], attributes }: LoweringContext): Value {
  const groups = int(attributes, 'num_groups', 1);
  const [batch = 0, channels = 0, ...spatial] = data.shape;
  const grouped = op.reshape(data, [batch, groups, elementCount(data.shape) / (batch * groups)]);
  const centred = op.Sub(grouped, op.mean(grouped, [2], true));
  const variance = op.mean(op.Mul(centred, centred), [2], true);
  const deviation = op.Sqrt(op.Add(variance, float(attributes, 'epsilon', 1e-5)));
  const normalized = op.reshape(op.Div(centred, deviation), data.shape);
  const perChannel = (value: Value) => op.reshape(value, [channels, ...spatial.map(() => 1)]);
  return op.Add(op.Mul(normalized, perChannel(scale)), perChannel(bias));
}

function power(op: Op, x: Value, p: number): Value {
  if (p === 1) return op.Abs(x);
  return p === 2 ? op.Mul(x, x) : op.Pow(op.Abs(x), p);
}

function root(op: Op, x: Value, p: number): Value {
  if (p === 1) return x;
  return p === 2 ? op.Sqrt(x) : op.Pow(x, 1 / p);
}

/** Adds up |x|ᵖ over windows, as a convolution of every channel with ones. */
function lpPool({ op, x: [data], attributes }: LoweringContext): Value {
  const p = int(attributes, 'p', 2);
  const kernel = ints(attributes, 'kernel_shape') ?? [];
  const [batch = 0, channels = 0, ...spatial] = data.shape;
  const window = windowOf(attributes, spatial, kernel);
  const pads = reachedPads(window, spatial);
  const planes = op.reshape(power(op, data, p), [batch * channels, 1, ...spatial]);
  const ones = op.filled({ type: data.type, shape: [1, 1, ...kernel] }, 1);
  const { strides, dilations, output } = window;
  const sums = op.Conv(planes, ones, { kernel_shape: kernel, strides, dilations, pads });
  return root(op, op.reshape(sums, [batch, channels, ...output]), p);
}

function globalLpPool({ op, x: [data], attributes }: LoweringContext): Value {
  const p = int(attributes, 'p', 2);
  const axes = data.shape.flatMap((_, axis) => (axis < 2 ? [] : [axis]));
  return root(op, op.sum(power(op, data, p), axes, true), p);
}

/** The first `lengths` elements of each sequence the other way round, the others where they are. */
function reverseSequence({ op, x: [data, lengths], attributes }: LoweringContext): Value {
  const [batchAxis, timeAxis] = [int(attributes, 'batch_axis', 1), int(attributes, 'time_axis', 0)];
  const [batch = 0, time = 0] = [data.shape[batchAxis], data.shape[timeAxis]];
  const along = (axis: number, size: number) => data.shape.map((_, i) => (i === axis ? size : 1));
  const until = op.reshape(lookUpInt32(op, lengths, time + 1), along(batchAxis, batch));
  const steps = Array.from({ length: time }, (_, i) => i);
  const at = op.constant(tensorOf('int32', steps, along(timeAxis, time)));
  const back = op.Sub(op.Sub(until, op.scalar(1, 'int32')), at);
  const from = op.Where(op.Less(at, until), back, at);
  return op.GatherElements(data, op.Expand(from, op.ints(data.shape)), { axis: timeAxis });
}

/** Backwards to the first element the kernel starts at the last one, wherever it should start: what lies behind the start
 *  is cut off before. */
function slice(context: LoweringContext): Value | undefined {
  const { op, x, has, constant } = context;
  const [data] = x;
  const [starts, ends, steps] = [
    constant(x[1]),
    constant(x[2]),
    has(4) ? constant(x[4]) : undefined,
  ];
  const axes = has(3) ? constant(x[3]) : data.shape.map((_, axis) => axis);
  if (!starts || !ends || !steps || !axes) return undefined;
  const cuts = axes.flatMap((given, i) => {
    const axis = normalizeAxis(given, data.shape.length);
    const size = data.shape[axis] ?? 0;
    const [start = 0, end = 0, step = 1] = [starts[i], ends[i], steps[i]];
    const from = Math.min(start < 0 ? start + size : start, size - 1);
    return step < 0 && end < -size && from >= 0 && from < size - 1 ? [{ i, axis, from }] : [];
  });
  if (cuts.length === 0) return undefined;
  const rest = cuts.reduce((value, { axis, from }) => op.slice(value, axis, 0, from + 1), data);
  const changed = (list: readonly number[], value: (from: number) => number) =>
    op.ints(
      list.map((old, i) => {
        const cut = cuts.find((each) => each.i === i);
        return cut === undefined ? old : value(cut.from);
      }),
    );
  return op.Slice(
    rest,
    changed(starts, () => -1),
    changed(ends, (from) => -from - 2),
    op.ints(axes),
    op.ints(steps),
  );
}

const isLetter = (character: string) => /[A-Za-z]/.test(character);

/** The kernel wants the dimensions behind an ellipsis alike: they are named, and expanded where they are 1. */
function einsum(context: LoweringContext): Value | undefined {
  const { op, x, node, attributes } = context;
  const equation = text(attributes, 'equation', '').replaceAll(' ', '');
  if (!equation.includes('...')) return undefined;
  const [terms = '', given] = equation.split('->');
  const inputs = x.slice(0, node.inputs.length);
  const parts = terms.split(',').map((term, i) => {
    const [before = '', after = ''] = term.split('...');
    const shape = inputs[i]?.shape ?? [];
    const hidden = term.includes('...')
      ? shape.slice(before.length, shape.length - after.length)
      : [];
    return { before, after, hidden, shape, has: term.includes('...') };
  });
  const rank = Math.max(...parts.map(({ hidden }) => hidden.length));
  const padded = parts.map(({ hidden }) => [...Array(rank - hidden.length).fill(1), ...hidden]);
  const full = Array.from({ length: rank }, (_, i) => {
    const sizes = padded.flatMap((dims, k) => (parts[k]?.has ? [dims[i] ?? 1] : []));
    return sizes.find((size) => size !== 1) ?? 1;
  });
  if (parts.every(({ has, hidden }) => !has || sameShape(hidden, full))) return undefined;
  const free = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'];
  const names = free
    .filter((letter) => !terms.includes(letter))
    .slice(0, rank)
    .join('');
  const operands = parts.map(({ before, after, shape, has }, i): Value => {
    const input = inputs[i] as Value;
    if (!has) return input;
    const behind = shape.slice(shape.length - after.length);
    const front = shape.slice(0, before.length);
    const open = op.reshape(input, [...front, ...(padded[i] ?? []), ...behind]);
    return op.Expand(open, op.ints([...front, ...full, ...behind]));
  });
  const letters = [...terms].filter(isLetter);
  const once = [...new Set(letters)].filter(
    (letter) => letters.indexOf(letter) === letters.lastIndexOf(letter),
  );
  const output =
    given === undefined ? `${names}${once.sort().join('')}` : given.replace('...', names);
  const spelled = parts.map(({ before, after, has }) => `${before}${has ? names : ''}${after}`);
  return op.Einsum(...operands, { equation: `${spelled.join()}->${output}` });
}

/** The kernel does not write its second output, the reciprocal of the deviation. */
function rmsNorm(context: LoweringContext): readonly (Value | undefined)[] | undefined {
  const { op, x, attributes, needed } = context;
  if (!needed(1)) return undefined;
  const [data, scale] = x;
  const rank = data.shape.length;
  const from = normalizeAxis(int(attributes, 'axis', -1), rank);
  const axes = data.shape.flatMap((_, axis) => (axis < from ? [] : [axis]));
  const squares = op.mean(op.Mul(data, data), axes, true);
  const inverse = op.Reciprocal(op.Sqrt(op.Add(squares, float(attributes, 'epsilon', 1e-5))));
  return [op.Mul(op.Mul(data, inverse), scale), inverse];
}

/** The kernel fails where one operand is broadcast along the last axis. */
export function alikePow({
  op,
  x: [base, exponent],
  y: [result],
}: LoweringContext): Value | undefined {
  const { shape } = result;
  // ONNX infers a wrong shape for an Expand to no elements.
  if (elementCount(shape) === 0) return op.zeros(result);
  const isPlain = (value: Value) =>
    elementCount(value.shape) === 1 || sameShape(value.shape, shape);
  if (isPlain(base) && isPlain(exponent)) return undefined;
  const full = (value: Value) => (isPlain(value) ? value : op.Expand(value, op.ints(shape)));
  return op.Pow(full(base), full(exponent));
}

/** 2ᵏ + 1 keeps 24 - k digits (Veltkamp); a number of the size of `unit` rounds off what is smaller than the smallest. */
const narrow = {
  float16: { split: 2 ** 13 + 1, smallest: 2 ** -14, unit: 0.75, largest: 65520 },
  bfloat16: { split: 2 ** 16 + 1, smallest: 0, unit: 0, largest: (2 - 2 ** -8) * 2 ** 127 },
} as const;

/** To a 16-bit type and back, in float32: not every GPU has float16, and none bfloat16. */
function cast({ op, x: [data], y: [{ type }], producer }: LoweringContext): Value | undefined {
  if (type !== 'float32' || (data.type !== 'float16' && data.type !== 'bfloat16')) return undefined;
  const made = producer(data);
  const wide = made?.x[0];
  if (made?.opType !== 'Cast' || wide?.type !== 'float32') return undefined;
  const { split, smallest, unit, largest } = narrow[data.type];
  const isHuge = op.Greater(op.Abs(wide), 2 ** 100);
  const small = op.Where(isHuge, op.Mul(wide, 2 ** -24), wide);
  const product = op.Mul(small, split);
  const rounded = op.Sub(product, op.Sub(product, small));
  const scaled = op.Where(isHuge, op.Mul(rounded, 2 ** 24), rounded);
  const fine =
    smallest === 0
      ? scaled
      : op.Where(op.Less(op.Abs(wide), smallest), op.Sub(op.Add(wide, unit), unit), scaled);
  const beyond = op.GreaterOrEqual(op.Abs(wide), largest);
  return op.Where(beyond, op.Mul(op.Mul(wide, 3e38), 3e38), fine);
}

/** The larger or the smaller of each two, and NaN where one is: the kernels let go of it. */
function extremum(isLess: (op: Op, a: Value, b: Value) => Value): LoweringRule {
  return ({ op, x, y: [{ type }], node, constant }) => {
    if (!type.startsWith('float')) return undefined;
    const isNumber = (value: Value) => constant(value)?.every((n) => !Number.isNaN(n)) ?? false;
    return x.slice(0, node.inputs.length).reduce((a, b) => {
      const [kept, other] = isNumber(a) ? [b, a] : [a, b];
      const found = op.Where(isLess(op, kept, other), other, kept);
      return isNumber(other) ? found : op.Where(op.Equal(other, other), found, other);
    });
  };
}

/** Where somebody wants their gradient these have been taken apart before. */
const forms = (['AffineGrid', 'CenterCropPad', 'Col2Im', 'GridSample'] as const).map(
  (opType): [string, LoweringRule] => [
    opType,
    (context) =>
      loadedForms()?.[opType]({
        ...context,
        constant: (i) => (context.has(i) ? context.constant(context.x[i] as Value) : undefined),
      }),
  ],
);

const gaps: Readonly<Record<string, LoweringRule>> = {
  ...Object.fromEntries(forms),
  Cast: cast,
  Einsum: einsum,
  GlobalLpPool: globalLpPool,
  GroupNormalization: groupNormalization,
  LpPool: lpPool,
  Max: extremum((op, a, b) => op.Less(a, b)),
  Min: extremum((op, a, b) => op.Greater(a, b)),
  Mod: mod,
  ReverseSequence: reverseSequence,
  Shrink: shrink,
  SimplifiedLayerNormalization: rmsNorm,
  Slice: slice,
  SpaceToDepth: spaceToDepth,
};

/** What webgpu leaves to the CPU, refuses or gets wrong, beside convolutions. */
export const webgpuGaps = lowerings(
  Object.fromEntries(
    Object.entries(gaps).map(([opType, rule]): [string, LoweringRule] => [
      opType,
      (context) => (context.provider === 'webgpu' ? rule(context) : undefined),
    ]),
  ),
);
