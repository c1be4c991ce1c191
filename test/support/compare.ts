import { deepEqual, equal, ok } from 'node:assert/strict';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount } from '../../packages/core/src/graph/value.js';
import type { DataType, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { type LoweredNode, runLowered } from './lowering.js';
import { runOracleNode } from './ort-training.js';

/** Deterministic numbers in [-1, 1): the n-th call of a file gives the same tensor on every run. */
export function generator(seed = 1): (...dims: number[]) => TensorData {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
  return (...dims) => tensorOf('float32', Array.from({ length: elementCount(dims) }, next), dims);
}

export function map(tensor: TensorData, f: (value: number, i: number) => number): TensorData {
  return tensorOf(tensor.type, Array.from(tensor.data as Float32Array, f), tensor.dims);
}

export function int64(values: readonly number[], dims: readonly number[] = [values.length]) {
  return tensorOf('int64', values, dims);
}

export function like(tensor: TensorData, type: DataType = tensor.type) {
  return { type, shape: tensor.dims };
}

/** Standard ops that the webgpu provider runs itself, of those that lowering may emit. */
const onWebgpu = new Set(
  `Abs Add And Cast Ceil Concat ConstantOfShape Conv ConvTranspose Div Equal Erf Exp Expand Floor Gather
  GatherElements Gemm Greater GreaterOrEqual Identity Less LessOrEqual Log MatMul MaxPool Mul Neg Not Pad
  Reciprocal ReduceMax ReduceMean ReduceSum ReduceSumSquare Reshape Resize ScatterElements ScatterND Sigmoid
  Slice Softmax Split Sqrt Sub Tanh Transpose Unsqueeze Where`.split(/\s+/),
);

/** @throws where a node is of an op that webgpu would leave to the CPU. */
function expectWebgpuOps(nodes: readonly Node[]): void {
  deepEqual(
    nodes.map((node) => node.opType).filter((opType) => !onWebgpu.has(opType)),
    [],
  );
  const outputs = nodes.find((node) => node.opType === 'MaxPool')?.outputs.length ?? 1;
  equal(outputs, 1, 'MaxPool has no Indices on webgpu');
}

export function expectClose(
  got: TensorData | undefined,
  wanted: TensorData | undefined,
  tolerance: number,
): void {
  deepEqual(got?.dims, wanted?.dims);
  const [a, b] = [got, wanted].map((tensor) => Array.from(tensor?.data as Float32Array, Number));
  const size = (b ?? []).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
  const errors = (b ?? []).map((value, i) =>
    Object.is(a?.[i], value) ? 0 : Math.abs((a?.[i] ?? Number.NaN) - value) / size,
  );
  const worst = errors.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(0, ...errors);
  ok(worst <= tolerance, `off by ${worst}: ${a?.slice(0, 8)} instead of ${b?.slice(0, 8)}`);
}

export interface Case extends LoweredNode {
  readonly opset?: number;
  /** Of the largest element of the output. */
  readonly tolerance?: number;
  /** What the outputs should be, where ORT has no kernel or a wrong one. */
  readonly reference?: readonly (TensorData | undefined)[];
}

/** Lowers a node for cpu and for webgpu, runs both on CPU kernels, and compares with ORT's own kernel. */
export async function compare(given: Case): Promise<void> {
  const wanted = given.reference ?? (await runOracleNode(given));
  for (const provider of ['cpu', 'webgpu'] as const) {
    const { outputs, nodes } = await runLowered({ ...given, provider });
    given.outputs.forEach((output, i) => {
      if (output !== undefined) expectClose(outputs[i], wanted[i], given.tolerance ?? 2e-6);
    });
    if (provider === 'webgpu') expectWebgpuOps(nodes);
  }
}
