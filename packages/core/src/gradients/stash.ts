import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { plainNumbers } from '../graph/constants.js';
import { int, normalizeAxis, type TensorType, type Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';

interface Forward {
  readonly node: Node;
  readonly x: (i: number) => Value;
  readonly y: Value;
  constant(i: number): readonly number[] | undefined;
}

/** What a node makes beside its first output, by the name that ORT gives it after the first's. */
interface Stashed {
  readonly outputs: readonly (readonly [suffix: string, type: TensorType])[];
  /** The op that has these outputs, where it is not the node's own. */
  readonly opType?: string;
  readonly domain?: string;
  readonly attributes?: Node['attributes'];
}

/** Layer norms keep their statistics with the normalised axes as 1, in float32 at least. */
function statistics({ node, x }: Forward): TensorType {
  const { type, shape } = x(0);
  const axis = normalizeAxis(int(node.attributes, 'axis', -1), shape.length);
  return {
    type: type === 'float64' ? type : 'float32',
    shape: shape.map((dim, a) => (a < axis ? dim : 1)),
  };
}

/** Indices are counted along rows, as gradients read them: what the model asks for matters only where it looks at them. */
function rowMajor(node: Node): Node['attributes'] {
  if (int(node.attributes, 'storage_order', 0) === 0) return node.attributes;
  if ((node.outputs[1] ?? '') === '') {
    const { storage_order, ...others } = node.attributes;
    return others;
  }
  throw new GradwareError(
    'NO_GRADIENT',
    'MaxPool has a gradient only if its indices are counted along rows',
    {
      where: `node ${node.name}, whose storage_order is 1`,
      remedy: 'Export the model with storage_order 0, or without the indices.',
    },
  );
}

/** Forward ops whose gradient needs an output that models may leave out. */
const stashes: Readonly<Record<string, (forward: Forward) => Stashed | undefined>> = {
  MaxPool: ({ node, y }) => ({
    outputs: [['mask', { type: 'int64', shape: y.shape }]],
    attributes: rowMajor(node),
  }),
  TopK: ({ y }) => ({ outputs: [['indices', { type: 'int64', shape: y.shape }]] }),
  SoftmaxCrossEntropyLoss: ({ x }) => ({ outputs: [['log_prob', x(0)]] }),
  Dropout: ({ node, x, constant }) =>
    (node.inputs[2] ?? '') === '' || constant(2)?.[0] === 0
      ? undefined
      : { outputs: [['mask', { type: 'bool', shape: x(0).shape }]] },
  LayerNormalization: (forward) => ({
    outputs: [
      ['mean', statistics(forward)],
      ['inv_std_var', statistics(forward)],
    ],
  }),
  SimplifiedLayerNormalization: (forward) => ({
    outputs: [['inv_std_var', statistics(forward)]],
  }),
  BatchNormalization: ({ node, x }) =>
    int(node.attributes, 'training_mode', 0) === 0
      ? undefined
      : {
          opType: 'BatchNormInternal',
          domain: 'com.microsoft',
          outputs: [
            ['running_mean', x(3)],
            ['running_var', x(4)],
            ['saved_mean', x(3)],
            ['saved_inv_std', x(4)],
          ],
        },
};

/** Gives the nodes among `wanted` the optional outputs that their gradients need, in place: MaxPool its indices,
 *  a loss its log-probabilities, batch normalisation in training its batch statistics. */
export function stashOutputs(builder: GraphBuilder, wanted: ReadonlySet<Node>): void {
  for (const node of builder.takeSince(0)) {
    const stashed = wanted.has(node) ? stashOf(builder, node) : undefined;
    if (stashed === undefined) builder.add(node, []);
    else extend(builder, node, stashed);
  }
}

function stashOf(builder: GraphBuilder, node: Node): Stashed | undefined {
  const stash = Object.hasOwn(stashes, node.opType) ? stashes[node.opType] : undefined;
  return stash?.({
    node,
    x: (i) => builder.value(node.inputs[i] ?? ''),
    y: builder.value(node.outputs[0] ?? ''),
    constant: (i) => {
      const tensor = builder.constant(node.inputs[i] ?? '');
      return tensor && plainNumbers(tensor.data);
    },
  });
}

function extend(builder: GraphBuilder, node: Node, { outputs, ...op }: Stashed): void {
  const [first = '', ...others] = node.outputs;
  const added: Value[] = [];
  const names = outputs.map(([suffix, { type, shape }], i) => {
    const given = others[i] ?? '';
    if (given !== '') return given;
    const name = builder.fresh(`${first}_${suffix}`);
    added.push({ name, type, shape });
    return name;
  });
  builder.add({ ...node, ...op, outputs: [first, ...names] }, added);
}
