import type { GraphBuilder } from '../graph/builder.js';
import { int, type TensorType } from '../graph/value.js';
import type { DataType, Node } from '../onnx/ir.js';
import { subgraphs } from '../onnx/names.js';

/** Ops of opset 21 that onnxruntime-node 1.30's WebGPU provider ran itself, in a session without fallback, with the
 *  CPU's results. */
const kernels = new Set(
  `Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BiasGelu Cast CastLike Ceil
  Clip Concat ConstantOfShape Conv ConvTranspose Cos Cosh CumSum DFT DepthToSpace DequantizeLinear Div Einsum Elu Equal Erf
  Exp Expand FastGelu Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
  GreaterOrEqual HardSigmoid HardSwish Identity If InstanceNormalization LSTM LayerNormalization LeakyRelu Less
  LessOrEqual Log LpNormalization MatMul Max MaxPool Min Mish Mul MultiHeadAttention Neg Not PRelu Pad Pow QuickGelu
  Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
  ReduceSumSquare Relu Reshape Resize RotaryEmbedding ScatterElements ScatterND Shape Sigmoid
  SimplifiedLayerNormalization Sin Sinh SkipLayerNormalization SkipSimplifiedLayerNormalization Slice Softmax Softplus
  Split Sqrt Squeeze Sub Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where`.split(
    /\s+/,
  ),
);

/** Those of them that are ORT's own. */
const contrib = new Set(
  `BiasGelu FastGelu FusedConv Gelu MultiHeadAttention QuickGelu RotaryEmbedding SkipLayerNormalization
  SkipSimplifiedLayerNormalization`.split(/\s+/),
);

/** Types of no shader. */
const wide: readonly DataType[] = ['int64', 'float64'];

/** What the kernels refuse, by the place of the input that decides. Shapes, indices and axes of int64 are fine. */
const refused: Readonly<Record<string, readonly [place: number, ...types: readonly DataType[]]>> = {
  ...Object.fromEntries(
    `Add Cast Div Expand Flatten Gather Greater GreaterOrEqual Identity Less LessOrEqual Max Min Mul ReduceSum
    Reshape Squeeze Sub Transpose Unsqueeze`
      .split(/\s+/)
      .map((opType) => [opType, [0, ...wide]] as const),
  ),
  Abs: [0, ...wide, 'int32'],
  Concat: [0, ...wide, 'bool'],
  Equal: [0, ...wide, 'bool'],
  GatherElements: [0, ...wide, 'int32'],
  Neg: [0, ...wide, 'int32'],
  Slice: [0, ...wide, 'int32', 'bool'],
  Where: [1, ...wide],
};

/** Inputs and outputs together may be 8 storage buffers. */
const largestSplit = 7;

const rankOf = (type: TensorType | undefined) => type?.shape.length ?? 0;

type TypeOf = (name: string) => TensorType | undefined;

/** Forms of ops that have a kernel, which cannot do them. */
const beyondKernels: Readonly<Record<string, (node: Node, typeOf: TypeOf) => string | undefined>> =
  {
    BatchNormalization: ({ attributes: { training_mode } }) =>
      training_mode?.type === 'int' && training_mode.value === 1 ? 'in training' : undefined,
    Conv: ({ inputs, attributes }, typeOf) =>
      rankOf(typeOf(inputs[0] ?? '')) > 4 && int(attributes, 'group', 1) > 1
        ? 'of groups in 3-D'
        : undefined,
    ConvTranspose: ({ inputs, attributes }, typeOf) => {
      const [x, w] = inputs.map(typeOf);
      if (rankOf(x) > 4) return 'in 3-D';
      // Not refused but wrong, as a software adapter of Chromium shows.
      const group = int(attributes, 'group', 1);
      return group > 1 && w?.shape[1] === 1 && x?.shape[1] !== group
        ? 'of one output and several inputs a group'
        : undefined;
    },
    MaxPool: ({ outputs, attributes: { storage_order } }) => {
      if ((outputs[1] ?? '') !== '') return 'with Indices';
      return storage_order?.type === 'int' && storage_order.value === 1 ? 'by columns' : undefined;
    },
    Split: ({ outputs }) => (outputs.length > largestSplit ? `into ${outputs.length}` : undefined),
  };

/** Whether a node has numbers of float64, which WGSL does not know. A shape has none. */
function isDouble({ opType, inputs, outputs }: Node, typeOf: TypeOf): boolean {
  const names = opType === 'Shape' ? outputs : [...inputs, ...outputs];
  return names.some((name) => typeOf(name)?.type === 'float64');
}

/** What of a node the provider has no kernel for, as in `MaxPool with Indices`; undefined for what it runs. */
function withoutKernel(node: Node, typeOf: TypeOf): string | undefined {
  const { opType, domain } = node;
  if (!(domain === '' ? kernels : contrib).has(opType)) return opType;
  const beyond = Object.hasOwn(beyondKernels, opType)
    ? beyondKernels[opType]?.(node, typeOf)
    : undefined;
  if (beyond !== undefined) return `${opType} ${beyond}`;
  if (isDouble(node, typeOf)) return `${opType} of float64`;
  const [place, ...types] = (Object.hasOwn(refused, opType) && refused[opType]) || [0];
  const type = typeOf(node.inputs[place] ?? '')?.type;
  return type !== undefined && types.includes(type) ? `${opType} of ${type}` : undefined;
}

/** A node that the provider would leave to the CPU, or refuse. */
export interface LeftNode {
  readonly node: Node;
  /** What there is no kernel for: the op, or what follows its name says of which type or form. */
  readonly kernel: string;
}

/** The nodes of a graph, and of those nested in it, that would be left to the CPU: ORT places each by itself, and its
 *  own `disable_cpu_ep_fallback` overlooks the nested ones. What follows from constants alone ORT computes when it loads
 *  the model. */
export function nodesLeftToCpu(
  nodes: readonly Node[],
  known: Pick<GraphBuilder, 'values' | 'constant'>,
): readonly LeftNode[] {
  return nodes
    .filter(({ inputs }) => inputs.length === 0 || inputs.some((name) => !known.constant(name)))
    .flatMap((node) => {
      const kernel = withoutKernel(node, (name) => known.values.get(name));
      const nested = subgraphs(node).flatMap((graph) => graph.nodes);
      return [
        ...(kernel === undefined ? [] : [{ node, kernel }]),
        ...nodesLeftToCpu(
          nested.filter(({ opType }) => opType !== 'Constant'),
          known,
        ),
      ];
    });
}
