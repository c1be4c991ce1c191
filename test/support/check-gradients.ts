import { InferenceSession, Tensor } from 'onnxruntime-node';
import { differentiate } from '../../packages/core/src/gradients/differentiate.js';
import {
  createBuilder,
  type GraphBuilder,
  type Op,
} from '../../packages/core/src/graph/builder.js';
import { numbersOf, tensorOf } from '../../packages/core/src/graph/constants.js';
import { loadForms } from '../../packages/core/src/graph/decompose/index.js';
import { isTrainingOp } from '../../packages/core/src/graph/dialect.js';
import { modelOf } from '../../packages/core/src/graph/model.js';
import { blankUnusedOutputs, prune } from '../../packages/core/src/graph/order.js';
import {
  type Attributes,
  elementCount,
  type Operand,
  toAttributes,
  type Value,
} from '../../packages/core/src/graph/value.js';
import { lower } from '../../packages/core/src/lowering/lower.js';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import type { Model, Node, TensorData, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { usedNames } from '../../packages/core/src/onnx/names.js';
import { sinkSelects } from '../../packages/core/src/step/sink.js';
import { loadOrtTraining, type OrtTensor } from './ort-training.js';

// Graphs are laid here without the step that loads the forms of rare ops.
await loadForms([{ name: '', opType: 'Det', domain: '', inputs: [], outputs: [], attributes: {} }]);

export type Precision = 'float64' | 'float32';

/** A constant beside the inputs that are differentiated; floats take the precision of the case. */
export interface Fixed {
  readonly values: readonly number[];
  readonly dims: readonly number[];
  readonly type: 'int64' | 'int32' | 'int8' | 'uint8' | 'bool' | 'float';
}

export function fixed(
  type: Fixed['type'],
  values: readonly number[],
  dims: readonly number[] = [values.length],
): Fixed {
  return { type, values, dims };
}

export const ints = (...values: readonly number[]): Fixed => fixed('int64', values);

/** One node and what it is given: a shape is a random input whose gradient is checked. */
export interface GradientCase {
  /** The op, or the name of what `build` builds. */
  readonly op: string;
  /** Several nodes instead of one. */
  readonly build?: (op: Op, x: readonly Value[], emit: GraphBuilder['emit']) => Value;
  readonly inputs: readonly (readonly number[] | Fixed | null)[];
  readonly attributes?: Attributes;
  readonly domain?: string;
  /** Where the random inputs lie; by default in [-2, 2]. */
  readonly range?: readonly [number, number];
  /** Of the output, where no shape rule tells. */
  readonly shape?: readonly number[];
  /** How many outputs the node names; by default all that its shape rule knows. */
  readonly outputs?: number;
  /** float32 where a kernel takes doubles and rounds them to floats inside. */
  readonly precision?: 'float32';
  /** See differentiate. */
  readonly longestUnrolled?: number;
}

const isShape = (input: GradientCase['inputs'][number]): input is readonly number[] =>
  Array.isArray(input);

export function nameOf(given: GradientCase): string {
  const { op, inputs, attributes = {}, domain, longestUnrolled } = given;
  const shown = inputs.map((input) => {
    if (input === null) return '-';
    if (isShape(input)) return `[${input}]`;
    return `${input.type}(${input.values.slice(0, 8)})`;
  });
  const settings = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
  const form = longestUnrolled === undefined ? [] : ['as Scan'];
  return [domain ? `${domain}.${op}` : op, ...shown, ...settings, ...form].join(' ');
}

/** mulberry32: numbers in [0, 1) that depend on the seed alone. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const seedOf = (text: string) =>
  Array.from(text).reduce((hash, letter) => Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0), 7);

interface Compiled {
  readonly builder: GraphBuilder;
  /** Everything that is fed, and its values: the inputs of the node, then the weights of the loss. */
  readonly inputs: readonly Value[];
  readonly values: readonly (readonly number[])[];
  /** Float outputs of the node, and the weights that make them one loss. */
  readonly outputs: readonly Value[];
  readonly weights: readonly (readonly number[])[];
  readonly gradients: readonly Value[];
  /** The nodes as the case gives them, before the differentiator takes any of them apart. */
  readonly whole: readonly Node[];
  readonly random: () => number;
}

/** The graph of a case and of its gradients: the loss is Σ outputs · random weights. */
function compile(checked: GradientCase, precision: Precision): Compiled {
  // Both forms of a recurrence are given the same numbers.
  const { longestUnrolled, ...given } = checked;
  const random = generator(seedOf(nameOf(given)));
  const builder = createBuilder();
  const { op } = builder;
  const [low, high] = checked.range ?? [-2, 2];
  const inputs: Value[] = [];
  const values: number[][] = [];
  const operands = checked.inputs.map((input, i): Operand => {
    if (input === null) return null;
    if (!isShape(input)) {
      const type = input.type === 'float' ? precision : input.type;
      return op.constant(tensorOf(type, input.values, input.dims));
    }
    const value = builder.declare({ name: `x${i}`, type: precision, shape: input });
    inputs.push(value);
    const draw = () => {
      const number = low + (high - low) * random();
      return precision === 'float32' ? Math.fround(number) : number;
    };
    values.push(Array.from({ length: elementCount(input) }, draw));
    return value;
  });
  const named = forward(checked, builder, operands, precision);
  const outputs = named.filter((output) => output.type.startsWith('float'));
  const weights = outputs.map(({ shape }) =>
    Array.from({ length: elementCount(shape) }, () => 0.5 + random()),
  );
  // Fed, so that nothing is known before the graph runs.
  const fed = outputs.map(({ type, shape }, i) =>
    builder.declare({ name: `weight${i}`, type, shape }),
  );
  const parts = outputs.map((output, i) => op.sum(op.Mul(output, fed[i])));
  const loss = parts.reduce((total, part) => op.Add(total, part));
  const whole = prune(
    builder.nodes,
    outputs.map(({ name }) => name),
  );
  const found = differentiate(
    builder,
    loss,
    inputs.map(({ name }) => name),
    { longestUnrolled },
  );
  return {
    builder,
    inputs: [...inputs, ...fed],
    values: [...values, ...weights],
    outputs,
    weights,
    gradients: [...found.gradients.values()],
    whole,
    random,
  };
}

function forward(
  { op, build, attributes = {}, domain, shape, outputs }: GradientCase,
  builder: GraphBuilder,
  operands: readonly Operand[],
  type: Precision,
): readonly Value[] {
  if (build !== undefined) return [build(builder.op, operands as readonly Value[], builder.emit)];
  const options = {
    ...(domain !== undefined && { domain }),
    ...(shape !== undefined && { types: [{ type, shape }] }),
  };
  const made = builder.emit(op, operands, toAttributes(attributes), options);
  return trimOutputs(builder, made, outputs);
}

/** Exporters leave trailing outputs out, so the case may as well. */
function trimOutputs(builder: GraphBuilder, made: readonly Value[], count = 1): readonly Value[] {
  const [node] = builder.takeSince(builder.nodes.length - 1);
  if (node === undefined) return made;
  const kept = made.slice(0, node.opType === 'Split' ? made.length : count);
  builder.add({ ...node, outputs: kept.map((value) => value.name) }, kept);
  return kept;
}

function encode(
  { builder, inputs }: Compiled,
  nodes: readonly Node[],
  outputs: readonly Value[],
): Uint8Array {
  const used = new Set(nodes.flatMap(usedNames));
  const info = ({ name, type, shape }: Value): ValueInfo => ({ name, type, shape });
  return encodeModel(
    modelOf({
      name: 'check',
      nodes,
      inputs: inputs.map(info),
      outputs: outputs.map(info),
      initializers: new Map(
        [...builder.initializers].filter(
          ([name]) => used.has(name) || outputs.some((o) => o.name === name),
        ),
      ),
      // ORT's own pooling gradients read the shape that the model states.
      valueInfo: new Map(
        nodes
          .filter((node) => /PoolGrad$/.test(node.opType))
          .flatMap((node) => node.outputs)
          .filter((name) => outputs.every((output) => output.name !== name))
          .map((name) => [name, info(builder.value(name))]),
      ),
    }),
  );
}

function lowered(
  compiled: Compiled,
  outputs: readonly Value[],
  provider: Provider = 'cpu',
): readonly Node[] {
  const { builder, random } = compiled;
  const drawn = new Map<string, Value>();
  const names = outputs.map((output) => output.name);
  return sinkSelects(
    lower(builder, names, {
      provider,
      random(shape, key) {
        const known = drawn.get(key);
        if (known !== undefined) return known;
        const numbers = Array.from({ length: elementCount(shape) }, random);
        const value = builder.op.constant(tensorOf('float32', numbers, shape));
        drawn.set(key, value);
        return value;
      },
    }),
    names,
  );
}

/** What a case consists of, without running it. */
export interface Laid {
  /** The nodes whose gradient is checked. */
  readonly forward: readonly Node[];
  /** Forward and backward, as a provider gets them. */
  readonly nodes: readonly Node[];
  readonly builder: GraphBuilder;
}

export function layCase(checked: GradientCase, provider: Provider): Laid {
  const compiled = compile(checked, 'float32');
  const { builder, outputs, gradients, whole } = compiled;
  const wanted = [...outputs, ...gradients];
  const nodes = blankUnusedOutputs(
    lowered(compiled, wanted, provider),
    wanted.map(({ name }) => name),
  );
  return { forward: whole, nodes, builder };
}

/** A case as a model for a provider, its inputs, and what the form for the CPU gives there. */
export async function pieceOf(
  checked: GradientCase,
  provider: Provider,
): Promise<{
  readonly model: Model;
  readonly feeds: ReadonlyMap<string, TensorData>;
  readonly wanted: ReadonlyMap<string, TensorData>;
}> {
  const compiled = compile(checked, 'float32');
  const { inputs, values } = compiled;
  const outputs = [...compiled.outputs, ...compiled.gradients];
  const nodes = blankUnusedOutputs(
    lowered(compiled, outputs, provider),
    outputs.map(({ name }) => name),
  );
  const model = decodeModel(encode(compiled, nodes, outputs));
  const used = new Set([...nodes.flatMap(usedNames), ...outputs.map(({ name }) => name)]);
  const feeds = new Map(
    inputs.flatMap(({ name, type, shape }, i) =>
      used.has(name) ? [[name, tensorOf(type, values[i] ?? [], shape)] as const] : [],
    ),
  );
  const onCpu = await open(compile(checked, 'float32'));
  const results = await onCpu.run(values, outputs);
  await onCpu.release();
  const wanted = new Map(
    outputs.map(({ name, type, shape }, i) => [name, tensorOf(type, results[i] ?? [], shape)]),
  );
  return { model, feeds, wanted };
}

type Numbers = readonly (readonly number[])[];

interface Stock {
  run(values: Numbers, outputs: readonly Value[]): Promise<Numbers>;
  release(): Promise<void>;
}

async function open(compiled: Compiled): Promise<Stock> {
  const outputs = [...compiled.outputs, ...compiled.gradients];
  return openNodes(compiled, lowered(compiled, outputs), outputs);
}

async function openNodes(
  compiled: Compiled,
  nodes: readonly Node[],
  outputs: readonly Value[],
): Promise<Stock> {
  const bytes = encode(compiled, nodes, outputs);
  const session = await InferenceSession.create(bytes, {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  return {
    async run(values, wanted) {
      const feeds = Object.fromEntries(
        compiled.inputs.map(({ name, type, shape }, i) => {
          const { data } = tensorOf(type, values[i] ?? []);
          return [name, new Tensor(type as 'float32', data as Float32Array, shape)];
        }),
      );
      const results = await session.run(
        feeds,
        wanted.map((value) => value.name),
      );
      return wanted.map((value) =>
        Array.from(results[value.name]?.data as ArrayLike<number>, Number),
      );
    },
    release: () => session.release(),
  };
}

const dot = (a: readonly number[], b: readonly number[]) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const norm = (a: readonly number[]) => Math.sqrt(dot(a, a));

const settings = {
  float64: { step: 1e-6, tolerance: 1e-6 },
  float32: { step: 4e-3, tolerance: 2e-3 },
} as const;

export interface Mismatch {
  readonly input: string;
  readonly numeric: number;
  readonly analytic: number;
}

export interface Checked {
  readonly precision: Precision;
  readonly mismatches: readonly Mismatch[];
}

/** Compares the gradient of each input, along a random direction, with a central difference: in float64 where
 *  ONNX Runtime has the kernels, else in float32. */
export async function checkGradient(checked: GradientCase): Promise<Checked> {
  if (checked.precision !== undefined) return check(checked, checked.precision);
  try {
    return await check(checked, 'float64');
  } catch (error) {
    if (!/Could not find an implementation|tensor\(double\)/.test(String(error))) throw error;
    return await check(checked, 'float32');
  }
}

async function check(checked: GradientCase, precision: Precision): Promise<Checked> {
  const compiled = compile(checked, precision);
  const { inputs, values, outputs, weights, gradients, random } = compiled;
  const session = await open(compiled);
  const { step, tolerance } = settings[precision];
  // Summed here, in double precision, so that only the op itself rounds.
  const loss = async (moved: Numbers) =>
    (await session.run(moved, outputs)).reduce((sum, y, i) => sum + dot(y, weights[i] ?? []), 0);
  const mismatches: Mismatch[] = [];
  try {
    const analyticGradients = await session.run(values, gradients);
    for (const [i, gradient] of analyticGradients.entries()) {
      const at = inputs.findIndex(({ name }) => name === gradients[i]?.parameter);
      const start = values[at] ?? [];
      const direction = start.map(() => (0.5 + 0.5 * random()) * (random() < 0.5 ? -1 : 1));
      const move = (sign: number) =>
        values.map((v, j) =>
          j === at ? v.map((x, k) => x + sign * step * (direction[k] ?? 0)) : v,
        );
      const [ahead, behind] = [move(1), move(-1)].map((moved) => roundTo(precision, moved));
      const difference = (await loss(ahead ?? [])) - (await loss(behind ?? []));
      const travelled = (ahead?.[at] ?? []).map((x, k) => x - (behind?.[at]?.[k] ?? 0));
      const analytic = dot(gradient, travelled) / (2 * step);
      const numeric = difference / (2 * step);
      const scale = Math.max(norm(gradient) * norm(direction), 1e-3);
      if (!(Math.abs(analytic - numeric) <= tolerance * scale))
        mismatches.push({ input: inputs[at]?.name ?? '', numeric, analytic });
    }
  } finally {
    await session.release();
  }
  return { precision, mismatches };
}

/** What a tensor of this precision can hold, so that the distance really travelled is known. */
function roundTo(precision: Precision, values: Numbers): Numbers {
  return precision === 'float64' ? values : values.map((list) => list.map(Math.fround));
}

/** The outputs of a case as the differentiator computes them, and by ONNX Runtime's kernel of the whole node. */
export async function compareWithKernel(
  checked: GradientCase,
): Promise<readonly { readonly ours: TensorData; readonly theirs: TensorData }[]> {
  const compiled = compile(checked, 'float32');
  const { outputs, values, whole } = compiled;
  const [apart, kernel] = [await open(compiled), await openNodes(compiled, whole, outputs)];
  const [ours, theirs] = [await apart.run(values, outputs), await kernel.run(values, outputs)];
  await apart.release();
  await kernel.release();
  return outputs.map(({ shape }, i) => ({
    ours: tensorOf('float32', ours[i] ?? [], shape),
    theirs: tensorOf('float32', theirs[i] ?? [], shape),
  }));
}

/** The nodes that the gradients need, before they are lowered. */
function inDialect({ builder, gradients }: Compiled): readonly Node[] {
  return prune(
    builder.nodes,
    gradients.map((gradient) => gradient.name),
  );
}

/** Whether the backward pass of a case is written with kernels that only ORT's training runtime has. */
export function usesTrainingOps(checked: GradientCase): boolean {
  const nodes = inDialect(compile(checked, 'float32'));
  return nodes.some((node) => isTrainingOp(node.opType, node.domain));
}

/** The same gradients by ORT's own training kernels, and by what we lower them to on stock ONNX Runtime. */
export async function compareWithOrt(
  checked: GradientCase,
): Promise<readonly { readonly ours: TensorData; readonly theirs: TensorData }[]> {
  const compiled = compile(checked, 'float32');
  const { inputs, values, gradients } = compiled;
  const bytes = encode(compiled, inDialect(compiled), gradients);
  const ort = await loadOrtTraining();
  const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'disabled' });
  const feeds: Record<string, OrtTensor> = {};
  for (const [i, { name, shape }] of inputs.entries())
    if (session.inputNames.includes(name))
      feeds[name] = new ort.Tensor('float32', Float32Array.from(values[i] ?? []), shape);
  const theirs = await session.run(feeds);
  await session.release();
  const stock = await open(compiled);
  const ours = await stock.run(values, gradients);
  await stock.release();
  return gradients.map(({ name, shape }, i) => ({
    ours: tensorOf('float32', ours[i] ?? [], shape),
    theirs: { type: 'float32', dims: theirs[name]?.dims ?? [], data: theirs[name]?.data ?? [] },
  }));
}

/** The largest difference of two tensors, relative to the size of the second. */
export function relativeDistance(ours: TensorData, theirs: TensorData): number {
  const [a = [], b = []] = [numbersOf(ours), numbersOf(theirs)];
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const largest = Math.max(1e-6, ...b.map(Math.abs));
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? 0))), 0) / largest;
}
