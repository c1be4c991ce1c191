import { tensorOf } from '../../packages/core/src/graph/constants.js';
import {
  type Attributes,
  elementCount,
  toAttributes,
} from '../../packages/core/src/graph/value.js';
import type { Dim, Model, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { generator } from './compare.js';

/** Writes a forward model node by node. */
export function modelWriter(seed = 3) {
  const random = generator(seed);
  const nodes: Node[] = [];
  const initializers = new Map<string, TensorData>();
  return {
    weight(name: string, dims: readonly number[], scale = 0.5): string {
      const { data } = random(...dims);
      const values = Array.from(data as Float32Array, (value) => value * scale);
      initializers.set(name, tensorOf('float32', values, dims));
      return name;
    },
    filled(name: string, dims: readonly number[], value: number): string {
      const values = Array<number>(elementCount(dims)).fill(value);
      initializers.set(name, tensorOf('float32', values, dims));
      return name;
    },
    ints(name: string, values: readonly number[]): string {
      initializers.set(name, tensorOf('int64', values));
      return name;
    },
    add(
      opType: string,
      inputs: readonly string[],
      attributes: Attributes = {},
      output = `${opType}_${nodes.length}`,
    ): string {
      const name = `node_${nodes.length}`;
      const attributesOf = toAttributes(attributes);
      nodes.push({ name, opType, domain: '', inputs, outputs: [output], attributes: attributesOf });
      return output;
    },
    model(input: readonly Dim[], output: readonly Dim[], name = 'y'): Model {
      return {
        graph: {
          name: 'model',
          nodes,
          inputs: [{ name: 'x', type: 'float32', shape: input }],
          outputs: [{ name, type: 'float32', shape: output }],
          initializers,
          valueInfo: new Map(),
        },
        opsets: new Map([['', 17]]),
        irVersion: 8,
        functions: [],
        metadata: new Map(),
        producer: 'gradware-test',
      };
    },
  };
}

/** Two layers, from 5 numbers to 3. */
function mlp(): Model {
  const { weight, add, model } = modelWriter();
  const hidden = add('Gemm', ['x', weight('w1', [5, 7]), weight('b1', [7])]);
  const active = add('Tanh', [hidden]);
  add('Gemm', [active, weight('w2', [3, 7]), weight('b2', [3])], { transB: 1 }, 'y');
  return model(['batch', 5], ['batch', 3]);
}

/** Two heads of attention, layer norms and a feed-forward part, pooled to four classes. */
function transformer(): Model {
  const { weight, filled, ints, add, model } = modelWriter();
  const width = 8;
  const norm = (x: string, i: number) =>
    add('LayerNormalization', [x, filled(`ln${i}.w`, [width], 1), filled(`ln${i}.b`, [width], 0)]);
  const dense = (x: string, name: string, out = width, from = width) =>
    add('Add', [add('MatMul', [x, weight(`${name}.w`, [from, out])]), weight(`${name}.b`, [out])]);
  const heads = ints('heads', [0, 0, 2, 4]);
  const split = (x: string, perm: readonly number[]) =>
    add('Transpose', [add('Reshape', [x, heads])], { perm });
  const normed = norm('x', 0);
  const [q, v] = ['q', 'v'].map((name) => split(dense(normed, name), [0, 2, 1, 3]));
  const k = split(dense(normed, 'k'), [0, 2, 3, 1]);
  const scores = add('Mul', [add('MatMul', [q as string, k]), filled('scale', [], 0.5)]);
  const mixed = add('MatMul', [add('Softmax', [scores], { axis: -1 }), v as string]);
  const joined = add('Reshape', [
    add('Transpose', [mixed], { perm: [0, 2, 1, 3] }),
    ints('joined', [0, 0, width]),
  ]);
  const attended = add('Add', ['x', dense(joined, 'o')]);
  const wide = add('Gelu', [dense(norm(attended, 1), 'up', 16)]);
  const whole = add('Add', [attended, dense(wide, 'down', width, 16)]);
  const pooled = add('ReduceMean', [whole], { axes: [1], keepdims: 0 });
  add('Gemm', [pooled, weight('out.w', [width, 4]), weight('out.b', [4])], {}, 'y');
  const made = model(['batch', 'length', width], ['batch', 4]);
  return { ...made, opsets: new Map([['', 20]]), irVersion: 9, graph: opset20(made.graph) };
}

/** Axes of ReduceMean are an input from opset 18 on. */
function opset20(graph: Model['graph']): Model['graph'] {
  const nodes = graph.nodes.map((node): Node => {
    if (node.opType !== 'ReduceMean') return node;
    const { axes: _, ...attributes } = node.attributes;
    return { ...node, inputs: [...node.inputs, 'axes'], attributes };
  });
  return {
    ...graph,
    nodes,
    initializers: new Map([...graph.initializers, ['axes', tensorOf('int64', [1])]]),
  };
}

/** Convolutions with a batch norm, average and maximum pooling, four classes. */
function convolutional(): Model {
  const { weight, filled, add, model } = modelWriter();
  const conv = add('Conv', ['x', weight('conv.w', [6, 3, 3, 3]), weight('conv.b', [6])], {
    pads: [1, 1, 1, 1],
    strides: [2, 2],
  });
  const normed = add('BatchNormalization', [
    conv,
    filled('bn.w', [6], 1),
    filled('bn.b', [6], 0),
    filled('bn.mean', [6], 0),
    filled('bn.var', [6], 1),
  ]);
  const active = add('Relu', [normed]);
  const best = add('MaxPool', [active], { kernel_shape: [2, 2], strides: [1, 1] });
  const mean = add('AveragePool', [best], { kernel_shape: [2, 2], strides: [1, 1] });
  const pooled = add('GlobalAveragePool', [mean]);
  const flat = add('Flatten', [pooled]);
  add('Gemm', [flat, weight('out.w', [6, 4]), weight('out.b', [4])], {}, 'y');
  return model(['batch', 3, 8, 8], ['batch', 4]);
}

/** A GRU over a fixed or an open number of steps, its last state to four classes. */
function recurrent(time: Dim = 5): Model {
  const { weight, add, model } = modelWriter();
  const gates = ['w', 'r'].map((name, i) => weight(`gru.${name}`, [1, 18, i === 0 ? 5 : 6]));
  const sequence = add('Transpose', ['x'], { perm: [1, 0, 2] });
  const inputs = [sequence, ...gates, weight('gru.b', [1, 36])];
  const states = add('GRU', inputs, { hidden_size: 6, linear_before_reset: 1 });
  const last = add('ReduceMean', [states], { axes: [0, 1], keepdims: 0 });
  add('Gemm', [last, weight('out.w', [6, 4]), weight('out.b', [4])], {}, 'y');
  return model(['batch', time, 5], ['batch', 4]);
}

/** Images of any size, halved three times, with means over what is left of them. */
function pyramid(): Model {
  const { weight, add, model } = modelWriter();
  let features = 'x';
  for (const [i, channels] of [4, 6, 5].entries()) {
    const filter = weight(`conv${i}.w`, [channels, [3, 4, 6][i] as number, 3, 3]);
    const half = add('Conv', [features, filter], { pads: [1, 1, 1, 1], strides: [2, 2] });
    const mean = add('ReduceMean', [half], { axes: [2, 3], keepdims: 1 });
    features = add('Tanh', [add('Add', [half, mean])]);
  }
  const pooled = add('Flatten', [add('GlobalAveragePool', [features])]);
  add('Gemm', [pooled, weight('out.w', [5, 4]), weight('out.b', [4])], {}, 'y');
  return model(['batch', 3, 'height', 'width'], ['batch', 4]);
}

/** Two branches from one value, an average pooling the one, and a score from a transposed matrix and a vector. */
function branches(): Model {
  const { weight, add, model } = modelWriter();
  const conv = add('Conv', ['x', weight('conv.w', [6, 3, 2, 2])]);
  const active = add('Relu', [conv]);
  const mean = add('AveragePool', [active], { kernel_shape: [2, 2], strides: [2, 2] });
  const other = add('Conv', [active, weight('other.w', [6, 6, 2, 2])], { strides: [2, 2] });
  const rows = add('Flatten', [add('GlobalAveragePool', [add('Add', [mean, other])])]);
  const scores = add('MatMul', [rows, weight('out.w', [6, 4])]);
  const turned = add('Transpose', [weight('basis', [6, 4])], { perm: [1, 0] });
  add('Add', [scores, add('MatMul', [turned, weight('query', [6])])], {}, 'y');
  return model([6, 3, 8, 8], [6, 4]);
}

/** Images turned by a matrix that follows from them. */
function turning(): Model {
  const { weight, ints, add, model } = modelWriter();
  const found = add('Gemm', [add('Flatten', ['x']), weight('find.w', [60, 6]), weight('b', [6])]);
  const matrices = add('Reshape', [found, ints('matrix', [-1, 2, 3])]);
  const grid = add('AffineGrid', [matrices, add('Shape', ['x'])]);
  const turned = add('GridSample', ['x', grid], { padding_mode: 'border' });
  const features = add('Tanh', [add('Conv', [turned, weight('conv.w', [5, 2, 3, 3])])]);
  const pooled = add('Flatten', [add('GlobalAveragePool', [features])]);
  add('Gemm', [pooled, weight('out.w', [5, 4])], {}, 'y');
  return { ...model(['batch', 2, 6, 5], ['batch', 4]), opsets: new Map([['', 20]]), irVersion: 9 };
}

export const models = { branches, pyramid, mlp, transformer, convolutional, recurrent, turning };
