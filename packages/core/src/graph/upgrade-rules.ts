import type { Attribute, Node, TensorData } from '../onnx/ir.js';
import { tensorOf } from './constants.js';
import { float, int, ints, text } from './value.js';

export interface UpgradeContext {
  readonly node: Node;
  /** Emits a node in front of the one at hand and returns its output. */
  emit(opType: string, inputs: readonly string[], attributes?: Node['attributes']): string;
  constant(tensor: TensorData): string;
  /** The numbers of a value that the model holds as a constant. */
  known(name: string): readonly number[] | undefined;
  /** A float scalar of the type of another value. */
  floatLike(value: number, like: string): string;
  /** Whether anybody reads output i. */
  isUsed(i: number): boolean;
  refuse(reason: string, remedy?: string): never;
}

export type UpgradeStep = (context: UpgradeContext) => Node;

export interface Upgrade {
  /** The opset at which the form changed. */
  readonly since: number;
  /** Whether the step is for models older than that (the rule) or for those at least that new. */
  readonly when?: 'newer';
  readonly step: UpgradeStep;
}

function without(node: Node, ...names: readonly string[]): Node {
  const kept = Object.entries(node.attributes).filter(([name]) => !names.includes(name));
  return { ...node, attributes: Object.fromEntries(kept) };
}

function withAttributes(node: Node, attributes: Node['attributes']): Node {
  return { ...node, attributes: { ...node.attributes, ...attributes } };
}

/** Sets input i, with blanks before it where optional inputs are left out. */
function withInput(node: Node, i: number, name: string): Node {
  const inputs = Array.from({ length: Math.max(node.inputs.length, i + 1) }, (_, j) =>
    j === i ? name : (node.inputs[j] ?? ''),
  );
  return { ...node, inputs };
}

const integer = (value: number): Attribute => ({ type: 'int', value });
const string = (value: string): Attribute => ({ type: 'string', value });

/** A list of integers that became an int64 input. */
function becomesInput(name: string, i: number): UpgradeStep {
  return ({ node, constant }) => {
    const attribute = node.attributes[name];
    const values = attribute?.type === 'int' ? [attribute.value] : ints(node.attributes, name);
    const rest = without(node, name);
    return values === undefined || values.length === 0
      ? rest
      : withInput(rest, i, constant(tensorOf('int64', values)));
  };
}

const axesInput: readonly Upgrade[] = [{ since: 13, step: becomesInput('axes', 1) }];
const reduction: readonly Upgrade[] = [{ since: 18, step: becomesInput('axes', 1) }];

/** Before opset 13 the op saw its input as a matrix, split at `axis` (by default 1). */
const coerced: readonly Upgrade[] = [
  {
    since: 13,
    step({ node, emit }) {
      const axis = int(node.attributes, 'axis', 1);
      if (axis === -1) return node;
      const [x = ''] = node.inputs;
      const matrix = emit('Flatten', [x], { axis: integer(axis) });
      const result = emit(node.opType, [matrix], { axis: integer(1) });
      const shape = emit('Shape', [x]);
      return {
        ...node,
        opType: 'Reshape',
        inputs: [result, shape],
        attributes: { allowzero: integer(1) },
      };
    },
  },
];

const clip: UpgradeStep = ({ node, floatLike }) => {
  const [x = ''] = node.inputs;
  return (['min', 'max'] as const).reduce(
    (current, name, i) => {
      const given = node.attributes[name];
      // The default bounds were the largest floats: no bounds at all.
      if (given === undefined || Math.abs(float(node.attributes, name, 0)) >= 3.4e38)
        return current;
      return withInput(current, i + 1, floatLike(float(node.attributes, name, 0), x));
    },
    without(node, 'min', 'max'),
  );
};

const pad: UpgradeStep = ({ node, constant, floatLike }) => {
  const pads = ints(node.attributes, 'pads') ?? [];
  const value = float(node.attributes, 'value', 0);
  const padded = withInput(without(node, 'pads', 'value'), 1, constant(tensorOf('int64', pads)));
  return value === 0 ? padded : withInput(padded, 2, floatLike(value, node.inputs[0] ?? ''));
};

const slice: UpgradeStep = ({ node, constant }) =>
  (['starts', 'ends', 'axes'] as const).reduce(
    (current, name, i) => {
      const values = ints(node.attributes, name);
      if (values === undefined) return current;
      return withInput(current, i + 1, constant(tensorOf('int64', values)));
    },
    without(node, 'starts', 'ends', 'axes'),
  );

const dropout: UpgradeStep = ({ node, constant }) => {
  const ratio = constant(tensorOf('float32', [float(node.attributes, 'ratio', 0.5)], []));
  // Such nodes never trained: the op had no training mode.
  return withInput(without(node, 'ratio'), 1, ratio);
};

/** Five outputs (or any beside the first) were how a node said that it is in training. */
const batchNorm: UpgradeStep = ({ node, isUsed, refuse }) => {
  if (int(node.attributes, 'spatial', 1) === 0)
    refuse('spatial = 0 normalises every element on its own, which no later opset does');
  const training = node.outputs.slice(1).some((output) => output !== '');
  if (training && [3, 4].some(isUsed)) refuse('its saved statistics are no outputs any more');
  const plain = { ...without(node, 'spatial'), outputs: node.outputs.slice(0, training ? 3 : 1) };
  return training ? withAttributes(plain, { training_mode: integer(1) }) : plain;
};

/** Upsample and the first Resize: no offset between the pixel grids, nearest below (above when shrinking). */
const resize: UpgradeStep = ({ node, constant, known }) => {
  const [x = '', given] = node.inputs;
  const listed = node.attributes.scales;
  const values = listed?.type === 'floats' ? listed.value : undefined;
  const scales = values ? constant(tensorOf('float32', values)) : (given ?? '');
  const mode = text(node.attributes, 'mode', 'nearest');
  const shrinks = (values ?? known(scales))?.some((scale) => scale < 1) ?? false;
  return {
    ...node,
    opType: 'Resize',
    inputs: [x, '', scales],
    attributes: {
      mode: string(mode === 'bilinear' ? 'linear' : mode),
      coordinate_transformation_mode: string('asymmetric'),
      nearest_mode: string(shrinks ? 'ceil' : 'floor'),
    },
  };
};

/** Where sizes are given, the scales had to be there but empty. */
const resizeSizes: UpgradeStep = ({ node }) =>
  (node.inputs[3] ?? '') === '' ? node : withInput(node, 2, '');

const gridModes: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

/** Scale and bias per group became scale and bias per channel. */
const groupNorm: UpgradeStep = ({ node, emit, constant }) => {
  const [x = '', scale = '', bias = ''] = node.inputs;
  const groups = int(node.attributes, 'num_groups', 1);
  const channels = emit('Shape', [x], { start: integer(1), end: integer(2) });
  const perGroup = emit('Div', [channels, constant(tensorOf('int64', [groups]))]);
  const one = constant(tensorOf('int64', [1]));
  const repeated = emit('Concat', [one, perGroup], { axis: integer(0) });
  const all = constant(tensorOf('int64', [-1]));
  const perChannel = (value: string) =>
    emit('Reshape', [emit('Expand', [emit('Unsqueeze', [value, one]), repeated]), all]);
  return { ...node, inputs: [x, perChannel(scale), perChannel(bias)] };
};

/** Split in equal parts must say how many. */
const splitCount: UpgradeStep = ({ node }) =>
  (node.inputs[1] ?? '') === ''
    ? withAttributes(node, { num_outputs: integer(node.outputs.length) })
    : node;

/** What changed between opset 7 and today in ways that a node shows. Ops that are not here kept their form: they
 *  only learnt more element types, negative axes, or attributes whose default is the old meaning. */
export const upgrades: Readonly<Record<string, readonly Upgrade[]>> = {
  BatchNormalization: [{ since: 14, step: batchNorm }],
  Clip: [{ since: 11, step: clip }],
  DFT: [{ since: 20, step: becomesScalarInput('axis', 2) }],
  Dropout: [{ since: 12, step: dropout }],
  GridSample: [
    {
      since: 20,
      step: ({ node }) => {
        const mode = text(node.attributes, 'mode', 'bilinear');
        return withAttributes(node, { mode: string(gridModes[mode] ?? mode) });
      },
    },
  ],
  GroupNormalization: [{ since: 21, step: groupNorm }],
  Hardmax: coerced,
  LogSoftmax: coerced,
  Pad: [{ since: 11, step: pad }],
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: axesInput,
  ReduceSumSquare: reduction,
  RMSNormalization: [
    {
      since: 23,
      when: 'newer',
      step: ({ node }) => ({ ...node, opType: 'SimplifiedLayerNormalization' }),
    },
  ],
  Resize: [
    { since: 11, step: resize },
    { since: 13, step: resizeSizes },
  ],
  RoiAlign: [
    {
      since: 16,
      step: ({ node }) =>
        withAttributes(node, { coordinate_transformation_mode: string('output_half_pixel') }),
    },
  ],
  Scan: [
    {
      since: 9,
      step: ({ refuse }) =>
        refuse('it scans batches with sequence lengths, which no later opset does'),
    },
  ],
  Scatter: [{ since: 11, step: ({ node }) => ({ ...node, opType: 'ScatterElements' }) }],
  Slice: [{ since: 10, step: slice }],
  Softmax: coerced,
  Split: [
    { since: 13, step: becomesInput('split', 1) },
    { since: 18, step: splitCount },
  ],
  Squeeze: axesInput,
  TopK: [{ since: 10, step: becomesInput('k', 1) }],
  Unsqueeze: axesInput,
  Upsample: [{ since: 10, step: resize }],
};

function becomesScalarInput(name: string, i: number): UpgradeStep {
  return ({ node, constant }) => {
    const value = int(node.attributes, name, 1);
    return withInput(without(node, name), i, constant(tensorOf('int64', [value], [])));
  };
}

/** Ops that opset 21 does not have. */
export const refusals: Readonly<
  Record<string, { readonly since: number; readonly reason: string }>
> = Object.fromEntries(
  ['TensorScatter', 'BitCast', 'CumProd'].map((opType) => [
    opType,
    { since: 22, reason: 'opset 21 has no such op' },
  ]),
);
