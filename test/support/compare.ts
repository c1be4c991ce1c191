import { deepEqual, ok } from 'node:assert/strict';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { elementCount } from '../../packages/core/src/graph/value.js';
import type { DataType, TensorData } from '../../packages/core/src/onnx/ir.js';
import { kernelsLacking } from './kernels-lacking.js';
import { type LoweredNode, layLowered, runLaid } from './lowering.js';
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
  const worst = errors.reduce(
    (most, error) => (error > most || Number.isNaN(error) ? error : most),
    0,
  );
  ok(worst <= tolerance, `off by ${worst}: ${a?.slice(0, 8)} instead of ${b?.slice(0, 8)}`);
}

type Outputs = readonly (TensorData | undefined)[];

/** What outputs should be where ORT's own kernel cannot say. */
export interface Reference {
  /** What says so: `definition`, or a kernel of another op. */
  readonly by: string;
  /** Why not ORT's training kernel, in a few words. */
  readonly because: string;
  readonly outputs: Outputs | (() => Outputs | Promise<Outputs>);
}

export interface LoweringCase extends LoweredNode {
  readonly opset?: number;
  /** Of the largest element of the output. */
  readonly tolerance?: number;
  readonly reference?: Reference;
  /** Asks ORT's own kernel, where that takes more than the node alone. */
  readonly oracle?: () => Promise<Outputs>;
  /** Tells cases apart that look alike. */
  readonly note?: string;
}

/** What a case is compared with: ORT's own kernel unless it says otherwise. */
export async function wantedOutputs(given: LoweringCase): Promise<Outputs> {
  const { reference, oracle = () => runOracleNode(given) } = given;
  if (reference === undefined) return oracle();
  return typeof reference.outputs === 'function' ? reference.outputs() : reference.outputs;
}

export function expectOutputs(got: Outputs, wanted: Outputs, given: LoweringCase): void {
  given.outputs.forEach((output, i) => {
    if (output !== undefined) expectClose(got[i], wanted[i], given.tolerance ?? 2e-6);
  });
}

const providers = ['cpu', 'wasm', 'cuda', 'webgpu'] as const;

/** Lowers a node for every provider, runs each form on CPU kernels, and compares with ORT's own kernel. What is
 *  lowered for webgpu may have no node that it would leave to the CPU. */
export async function compare(given: LoweringCase): Promise<void> {
  const wanted = await wantedOutputs(given);
  const seen = new Set<string>();
  for (const provider of providers) {
    const laid = layLowered({ ...given, provider });
    if (provider === 'webgpu') deepEqual(kernelsLacking(laid.nodes, laid.builder), []);
    const form = JSON.stringify(laid.nodes);
    if (seen.size === seen.add(form).size) continue;
    expectOutputs(await runLaid(laid, given), wanted, given);
  }
}
