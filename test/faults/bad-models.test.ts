import { describe, expect, test } from 'vitest';
import { GradwareError, inspectModel } from '../../packages/core/src/index.js';
import { generateArtifacts, nodeRuntime, TrainingSession } from '../../packages/core/src/node.js';
import { onnx } from '../../packages/core/src/onnx/generated/messages.js';

type GraphMessage = onnx.GraphProto.$Properties;
type NodeMessage = onnx.NodeProto.$Properties;
type ValueMessage = onnx.ValueInfoProto.$Properties;
type TensorMessage = onnx.TensorProto.$Properties;

const float = 1;
const int64 = 7;
const bool = 9;

const value = (name: string, dims: readonly (number | string)[]): ValueMessage => ({
  name,
  type: {
    tensorType: {
      elemType: float,
      shape: {
        dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })),
      },
    },
  },
});

/** A single number. */
const typed = (name: string, elemType: number): ValueMessage => ({
  name,
  type: { tensorType: { elemType, shape: {} } },
});

const bytesOf = ({ buffer }: Float32Array | BigInt64Array) => new Uint8Array(buffer);

const weight = (name: string, dims: readonly number[]): TensorMessage => ({
  name,
  dims: [...dims],
  dataType: float,
  rawData: bytesOf(new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5)),
});

const whole = (name: string, values: readonly number[]): TensorMessage => ({
  name,
  dims: [values.length],
  dataType: int64,
  rawData: bytesOf(BigInt64Array.from(values, BigInt)),
});

const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  more: NodeMessage = {},
): NodeMessage => ({
  name: `${opType}_${output[0]}`,
  opType,
  input: [...input],
  output: [...output],
  ...more,
});

/** x [n, 4] times w [4, 3], with whatever is wrong. */
function file({ node: nodes, initializer, ...graph }: GraphMessage): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ version: 17 }, { domain: 'their.own', version: 1 }],
    graph: {
      name: 'bad',
      input: [value('x', ['n', 4])],
      output: [value('y', ['n', 3])],
      ...graph,
      node: nodes ?? [],
      initializer: [weight('w', [4, 3]), ...(initializer ?? [])],
    },
  }).finish();
}

const product = node('MatMul', ['x', 'w'], ['h']);

/** If inside If, a thousand times. */
function nested(depth: number): Uint8Array {
  const field = (number: number, bytes: Uint8Array): Uint8Array => {
    const length: number[] = [];
    for (let rest = bytes.length; ; rest >>>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return Uint8Array.of(number * 8 + 2, ...length, ...bytes);
  };
  let graph = new Uint8Array();
  for (let i = 0; i < depth; i++) graph = new Uint8Array(field(1, field(5, field(6, graph))));
  return Uint8Array.of(8, 8, ...field(7, graph));
}

const huge = 2 ** 31;

/** h doubled, so many times. */
const loopOf = (turns: bigint): Uint8Array =>
  file({
    node: [
      product,
      node('Loop', ['turns', '', 'h'], ['y'], {
        attribute: [
          {
            name: 'body',
            type: onnx.AttributeProto.AttributeType.GRAPH,
            g: {
              name: 'body',
              node: [node('Identity', ['go'], ['on']), node('Add', ['s', 's'], ['t'])],
              input: [typed('turn', int64), typed('go', bool), value('s', ['n', 3])],
              output: [typed('on', bool), value('t', ['n', 3])],
            },
          },
        ],
      }),
    ],
    initializer: [{ name: 'turns', dataType: int64, rawData: bytesOf(BigInt64Array.of(turns)) }],
  });

const bad: readonly (readonly [title: string, bytes: Uint8Array, problem: RegExp])[] = [
  [
    'a cycle',
    file({
      node: [
        node('Add', ['x', 'b'], ['a']),
        node('Relu', ['a'], ['b']),
        node('MatMul', ['b', 'w'], ['y']),
      ],
    }),
    /depend on each other.*Add_a.*Relu_b/s,
  ],
  [
    'a node that takes its own output',
    file({ node: [node('Add', ['y', 'x'], ['y'])] }),
    /depend on each other.*Add_y/s,
  ],
  [
    'a value with two definitions',
    file({ node: [product, node('Relu', ['x'], ['h']), node('Relu', ['h'], ['y'])] }),
    /"h" is defined twice/,
  ],
  [
    'an initializer with two definitions',
    file({ node: [node('MatMul', ['x', 'w'], ['y'])], initializer: [weight('w', [4, 3])] }),
    /initializer is there twice.*"w"/is,
  ],
  [
    'an input with two definitions',
    file({
      node: [node('MatMul', ['x', 'w'], ['y'])],
      input: [value('x', ['n', 4]), value('x', ['n', 4])],
    }),
    /input "x" is there twice/,
  ],
  [
    'a missing initializer',
    file({ node: [product, node('Add', ['h', 'bias'], ['y'])] }),
    /Nothing defines the value "bias".*Add_y/s,
  ],
  ['a missing output', file({ node: [product] }), /Nothing defines the output "y"/],
  [
    'an input with a negative dimension',
    file({ node: [node('MatMul', ['x', 'w'], ['y'])], input: [value('x', ['n', -4])] }),
    /dimension -4.*"x"/s,
  ],
  [
    'an initializer with a negative dimension',
    file({
      node: [product, node('Add', ['h', 'b'], ['y'])],
      initializer: [{ name: 'b', dims: [-3], dataType: float }],
    }),
    /dimension -3.*"b"/s,
  ],
  [
    'a reshape to a negative dimension',
    file({
      node: [product, node('Reshape', ['h', 'shape'], ['y'])],
      initializer: [whole('shape', [-5, 3])],
    }),
    /Reshape/,
  ],
  [
    'an op of an unknown domain',
    file({ node: [product, node('Swizzle', ['h'], ['y'], { domain: 'their.own' })] }),
    /their\.own\.Swizzle.*Swizzle_y/s,
  ],
  [
    'an op that does not exist',
    file({ node: [product, node('Swizzle', ['h'], ['y'])] }),
    /cannot run Swizzle, and Gradware has no way.*node Swizzle_y/s,
  ],
  ['a loop of 10^9 turns', loopOf(10n ** 9n), /Loop of 1000000000 steps is too long/],
  ['a loop of 2^62 turns', loopOf(2n ** 62n), /A Loop has a gradient only if its trip count/],
  ['subgraphs a thousand deep', nested(1000), /nested too deeply/],
  [
    'an initializer of 2^31 elements without data',
    file({
      node: [product, node('Add', ['h', 'b'], ['y'])],
      initializer: [{ name: 'b', dims: [2 ** 16, 2 ** 15], dataType: float }],
    }),
    /initializer "b"/,
  ],
  [
    'an input of 2^31 elements',
    file({
      node: [node('ReduceMean', ['x'], ['m']), node('Mul', ['m', 'w'], ['y'])],
      input: [value('x', [huge])],
      output: [value('y', [4, 3])],
    }),
    /2147483648|GiB/,
  ],
  [
    'a constant of 2^31 elements',
    file({
      node: [
        node('ConstantOfShape', ['shape'], ['c']),
        node('ReduceSum', ['c'], ['s']),
        product,
        node('Add', ['h', 's'], ['y']),
      ],
      initializer: [whole('shape', [2 ** 16, 2 ** 15])],
    }),
    /2147483648|GiB/,
  ],
];

const doors: readonly (readonly [door: string, open: (bytes: Uint8Array) => Promise<unknown>])[] = [
  ['to train', (bytes) => TrainingSession.create(bytes, { loss: 'mse' })],
  ['to make artifacts of', (bytes) => generateArtifacts(bytes, { loss: 'mse' })],
];

/** Milliseconds that this process computed: a clock would count what else the machine is doing. */
function timer(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
}

describe.each(doors)('a model %s', (_, open) => {
  test.each(bad)('with %s is refused within a second', async (__, bytes, problem) => {
    const taken = timer();
    const error = await open(bytes).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(GradwareError);
    expect(String(error)).toMatch(problem);
    expect(taken()).toBeLessThan(1000);
  });
});

/** What is wrong with the sizes shows only when they are computed. */
const inspectable = /loop|reshape|op that|unknown domain|input of 2|constant of 2/;

test.each(bad)(
  'inspection of a model with %s ends within a second',
  async (title, bytes, problem) => {
    const taken = timer();
    const inspection = inspectModel(nodeRuntime.files, bytes, {});
    if (inspectable.test(title)) await inspection;
    else await expect(inspection).rejects.toThrow(problem);
    expect(taken()).toBeLessThan(1000);
  },
);
