import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createBuilder, type GraphBuilder } from '../../packages/core/src/graph/builder.js';
import { blockedDomain, domainOf } from '../../packages/core/src/graph/dialect.js';
import { modelOf } from '../../packages/core/src/graph/model.js';
import { blankUnusedOutputs } from '../../packages/core/src/graph/order.js';
import { uniform } from '../../packages/core/src/graph/random.js';
import { type Attributes, toAttributes, type Value } from '../../packages/core/src/graph/value.js';
import { lower } from '../../packages/core/src/lowering/lower.js';
import type { LoweringRules, Provider } from '../../packages/core/src/lowering/rule.js';
import type { DataType, Node, TensorData, TypedArray } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { usedNames } from '../../packages/core/src/onnx/names.js';

/** A node to lower: inputs are fed, or constants of the graph. */
export interface LoweredNode {
  readonly opType: string;
  readonly domain?: string;
  readonly inputs: readonly (TensorData | undefined)[];
  readonly attributes?: Attributes;
  /** Types of the wanted outputs; undefined leaves one out. */
  readonly outputs: readonly ({ type: DataType; shape: readonly number[] } | undefined)[];
  readonly constants?: readonly number[];
  readonly provider?: Provider;
  /** Tried before those that all devices share. */
  readonly rules?: LoweringRules | undefined;
  /** Which inputs the node before makes: a MaxPool whose indices a MaxPoolGrad takes. */
  readonly before?: (builder: GraphBuilder, inputs: readonly (Value | undefined)[]) => Value[];
}

/** What a node became. */
export interface Laid {
  readonly nodes: readonly Node[];
  readonly builder: GraphBuilder;
  /** Names of the wanted outputs. */
  readonly names: readonly string[];
}

export interface Lowered {
  readonly nodes: readonly Node[];
  readonly outputs: readonly (TensorData | undefined)[];
}

/** Lowers one node, without running anything. */
export function layLowered(given: LoweredNode): Laid {
  const builder = createBuilder();
  const { inputs, constants = [], provider = 'cpu' } = given;
  const values = inputs.map((tensor, i): Value | undefined => {
    if (tensor === undefined) return undefined;
    if (constants.includes(i)) return builder.initializer(`x${i}`, tensor);
    return builder.declare({ name: `x${i}`, type: tensor.type, shape: tensor.dims });
  });
  const seed = builder.declare({ name: 'seed', type: 'uint32', shape: [] });
  const step = builder.declare({ name: 'step', type: 'int32', shape: [] });
  const wired = given.before?.(builder, values) ?? values;
  emit(builder, given, wired);
  const names = given.outputs.flatMap((output, i) => (output === undefined ? [] : [`y${i}`]));
  const nodes = blankUnusedOutputs(
    lower(builder, names, {
      provider,
      random: (shape, key) => uniform(builder.op, { shape, seed, step, key }),
      rules: given.rules,
    }),
    names,
  );
  return { builder, nodes, names };
}

/** Runs what a node became: on stock ONNX Runtime's CPU kernels, unless the options name another provider. */
export async function runLaid(
  { builder, nodes, names }: Laid,
  { inputs, outputs }: LoweredNode,
  options: InferenceSession.SessionOptions = {},
): Promise<readonly (TensorData | undefined)[]> {
  const feeds = new Map(inputs.flatMap((tensor, i) => (tensor ? [[`x${i}`, tensor]] : [])));
  feeds.set('seed', { type: 'uint32', dims: [], data: Uint32Array.of(7) });
  feeds.set('step', { type: 'int32', dims: [], data: Int32Array.of(3) });
  const results = await run(builder, nodes, feeds, names, options);
  return outputs.map((output, i) => (output ? results.get(`y${i}`) : undefined));
}

/** Lowers one node and runs what it became on stock ONNX Runtime's CPU kernels. */
export async function runLowered(given: LoweredNode): Promise<Lowered> {
  const laid = layLowered(given);
  return { nodes: laid.nodes, outputs: await runLaid(laid, given) };
}

function emit(
  builder: GraphBuilder,
  { opType, domain = domainOf(opType), attributes = {}, outputs }: LoweredNode,
  values: readonly (Value | undefined)[],
): void {
  builder.emit(opType, values, toAttributes(attributes), {
    domain,
    name: opType,
    outputs: outputs.map((output, i) => (output === undefined ? '' : `y${i}`)),
    types: outputs.map((output) => output ?? { type: 'float32', shape: [] }),
  });
}

/** Runs nodes as a model of opset 21, the one that step graphs are written in. */
export async function run(
  builder: GraphBuilder,
  nodes: readonly Node[],
  given: ReadonlyMap<string, TensorData>,
  names: readonly string[],
  options: InferenceSession.SessionOptions = {},
): Promise<ReadonlyMap<string, TensorData>> {
  const used = new Set([...nodes.flatMap(usedNames), ...names]);
  const initializers = new Map([...builder.initializers].filter(([name]) => used.has(name)));
  const fed = [...given].filter(([name]) => used.has(name) && !initializers.has(name));
  const info = (name: string) => {
    const { type, shape } = builder.value(name);
    return { name, type, shape };
  };
  const graph = {
    name: 'lowered',
    nodes,
    inputs: fed.map(([name]) => info(name)),
    outputs: names.map(info),
    initializers,
    valueInfo: new Map(),
  };
  const model = encodeModel(modelOf(graph, new Map([[blockedDomain, 1]])));
  const session = await InferenceSession.create(model, { logSeverityLevel: 3, ...options });
  const feeds = fed.map(([name, { type, data, dims }]) => [name, toOrt(type, data, dims)] as const);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return new Map(
    names.map((name) => {
      const tensor = results[name] as Tensor;
      const data = tensor.data as TypedArray;
      return [name, { type: tensor.type as DataType, dims: [...tensor.dims], data }];
    }),
  );
}

function toOrt(type: DataType, data: TensorData['data'], dims: readonly number[]): Tensor {
  return new Tensor(type as 'float32', data as Float32Array, dims);
}
