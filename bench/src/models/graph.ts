import { encodeModel, type Graph, type Node, tensorOf } from '@gradware/core/testing';

type Attribute = number | string | readonly number[];

/** A forward graph that grows node by node, as an exporter writes it: its batch axis is open. */
export interface GraphWriter {
  /** Emits a node and returns the name of its first output.
   *  @param output which of the outputs that op has, where it is not the first */
  node(
    opType: string,
    inputs: readonly string[],
    attributes?: Readonly<Record<string, Attribute>>,
    output?: number,
  ): string;
  /** A weight, uniform in ±√(1 / fan in) as torch.nn.Linear starts; the same numbers every time. */
  weight(name: string, dims: readonly number[], fanIn: number): string;
  /** A weight that starts with one number everywhere. */
  filled(name: string, dims: readonly number[], value: number): string;
  /** A constant of integers: a shape, an axis, an index. */
  ints(values: readonly number[], dims?: readonly number[]): string;
  number(value: number): string;
  /** The bytes of an .onnx file: `x` [batch, ...] to `logits`. */
  encode(
    input: { readonly type: 'float32' | 'int64'; readonly shape: readonly number[] },
    logits: string,
    shape: readonly number[],
  ): Uint8Array;
}

type Tensor = Graph['initializers'] extends ReadonlyMap<string, infer Value> ? Value : never;

function uniform(length: number, fanIn: number, seed: number): Float32Array {
  const bound = Math.sqrt(1 / fanIn);
  let state = seed;
  return new Float32Array(length).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state / 2 ** 32) * 2 - 1) * bound;
  });
}

function attributeOf(value: Attribute): Node['attributes'][string] {
  if (typeof value === 'string') return { type: 'string', value };
  if (typeof value !== 'number') return { type: 'ints', value };
  return { type: Number.isInteger(value) ? 'int' : 'float', value };
}

export function writeGraph(): GraphWriter {
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  const elements = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
  const keep = (name: string, tensor: Tensor) => {
    initializers.set(name, tensor);
    return name;
  };
  return {
    node(opType, inputs, attributes = {}, output = 0) {
      const name = `${opType}_${nodes.length}`;
      const outputs = [...Array<string>(output).fill(''), name];
      const entries = Object.entries(attributes).map(
        ([key, value]) => [key, attributeOf(value)] as const,
      );
      nodes.push({
        name,
        opType,
        domain: '',
        inputs,
        outputs,
        attributes: Object.fromEntries(entries),
      });
      return name;
    },
    weight: (name, dims, fanIn) =>
      keep(name, {
        type: 'float32',
        dims,
        data: uniform(elements(dims), fanIn, initializers.size),
      }),
    filled: (name, dims, value) =>
      keep(name, {
        type: 'float32',
        dims,
        data: new Float32Array(elements(dims)).fill(value),
      }),
    ints: (values, dims) =>
      keep(`ints_${initializers.size}`, tensorOf('int64', values, dims ?? [values.length])),
    number: (value) => keep(`number_${initializers.size}`, tensorOf('float32', [value], [])),
    encode: (input, logits, shape) =>
      encodeModel({
        graph: {
          name: 'forward',
          nodes: [
            ...nodes,
            {
              name: 'logits',
              opType: 'Identity',
              domain: '',
              inputs: [logits],
              outputs: ['logits'],
              attributes: {},
            },
          ],
          inputs: [{ name: 'x', type: input.type, shape: ['batch', ...input.shape] }],
          outputs: [{ name: 'logits', type: 'float32', shape: ['batch', ...shape] }],
          initializers,
          valueInfo: new Map(),
        },
        opsets: new Map([['', 17]]),
        irVersion: 8,
        functions: [],
        metadata: new Map(),
        producer: 'gradware-bench',
      }),
  };
}
