import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import type { Model, Node, TensorData, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { loadOrtTraining, type OrtTensor, oracleTensor } from './ort-training.js';

/** An optimizer node of ORT's, over tensors that a test feeds. */
export interface OptimizerModel {
  readonly opType: 'AdamWOptimizer' | 'SGDOptimizerV2' | 'AdamOptimizer' | 'SGDOptimizer';
  readonly attributes: Attributes;
  /** The attributes of InplaceClipGradNorm, where the gradients go through it. */
  readonly clip?: Attributes;
}

type Shapes = ReadonlyMap<string, readonly number[]>;

/** What an optimizer keeps for each weight. */
const moments = (opType: OptimizerModel['opType']) => (opType.startsWith('Adam') ? ['m', 'v'] : []);

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
): Node {
  const standard = opType.startsWith('Sequence') || opType === 'Constant';
  return {
    name: outputs[0] ?? opType,
    opType,
    domain: standard ? '' : 'com.microsoft',
    inputs,
    outputs,
    attributes: toAttributes(attributes),
  };
}

/** One node for all weights, which it takes as sequences. */
function sequenceNodes({ opType, attributes, clip }: OptimizerModel, names: readonly string[]) {
  const kept = ['w', ...moments(opType)];
  const sequence = (kind: string) =>
    node(
      'SequenceConstruct',
      names.map((name) => `${kind}.${name}`),
      [kind],
    );
  const clipped = clip === undefined ? [] : [node('InplaceClipGradNorm', ['g'], ['clipped'], clip)];
  const gradients = clip === undefined ? 'g' : 'clipped';
  const [, ...rest] = kept;
  const inputs =
    opType === 'AdamWOptimizer' ? ['lr', 'step', 'w', gradients, ...rest] : ['lr', 'w', gradients];
  return [
    ...['g', ...kept].map(sequence),
    ...clipped,
    node(opType, inputs, ['done', ...kept.map((kind) => `new.${kind}`)], attributes),
    ...kept.flatMap((kind) =>
      names.map((name, i) =>
        node('SequenceAt', [`new.${kind}`, `at.${i}`], [`new.${kind}.${name}`]),
      ),
    ),
  ];
}

/** One node for each weight, as the oldest artifacts have it. Each counts for itself: the kernel does so in place. */
function singleNodes({ opType, attributes }: OptimizerModel, names: readonly string[]) {
  return names.map((name) => {
    const of = (kind: string) => `${kind}.${name}`;
    const adam = opType === 'AdamOptimizer';
    const inputs = adam
      ? ['lr', of('step'), of('w'), of('g'), of('m'), of('v')]
      : ['lr', of('w'), of('g')];
    const outputs = adam ? [of('new.t'), of('new.m'), of('new.v'), of('new.w')] : [of('new.w')];
    return node(opType, inputs, outputs, attributes);
  });
}

/** A model with the weights, gradients and moments as inputs of their own. */
export function optimizerModel(given: OptimizerModel, shapes: Shapes): Model {
  const names = [...shapes.keys()];
  const kept = ['w', ...moments(given.opType)];
  const single = given.opType === 'AdamOptimizer' || given.opType === 'SGDOptimizer';
  const info = (prefix: string) => (kind: string) =>
    [...shapes].map(([name, shape]): ValueInfo => {
      return { name: `${prefix}${kind}.${name}`, type: 'float32', shape };
    });
  const counted = single ? names.map((name) => `step.${name}`) : ['step'];
  return {
    graph: {
      name: 'optimizer',
      nodes: single ? singleNodes(given, names) : sequenceNodes(given, names),
      inputs: [
        { name: 'lr', type: 'float32', shape: [1] },
        ...counted.map((name): ValueInfo => ({ name, type: 'int64', shape: [1] })),
        ...['g', ...kept].flatMap(info('')),
      ],
      outputs: kept.flatMap(info('new.')),
      initializers: new Map<string, TensorData>(
        names.map((_, i) => [
          `at.${i}`,
          { type: 'int64', dims: [], data: BigInt64Array.of(BigInt(i)) },
        ]),
      ),
      valueInfo: new Map(),
    },
    opsets: new Map([
      ['', 17],
      ['com.microsoft', 1],
    ]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-test',
  };
}

/** Weights after each of several steps, by ORT 1.19.2's own kernel; moments start at zero. */
export async function stepByOrt(
  given: OptimizerModel,
  weights: ReadonlyMap<string, TensorData>,
  gradients: readonly ReadonlyMap<string, TensorData>[],
  learningRate: number,
): Promise<readonly ReadonlyMap<string, TensorData>[]> {
  const shapes = new Map([...weights].map(([name, { dims }]) => [name, dims] as const));
  const { InferenceSession } = await loadOrtTraining();
  const session = await InferenceSession.create(encodeModel(optimizerModel(given, shapes)), {
    graphOptimizationLevel: 'disabled',
  });
  const states = new Map<string, TensorData>();
  for (const [name, weight] of weights) {
    states.set(`w.${name}`, weight);
    const data = new Float32Array((weight.data as Float32Array).length);
    for (const kind of moments(given.opType)) states.set(`${kind}.${name}`, { ...weight, data });
  }
  const after: ReadonlyMap<string, TensorData>[] = [];
  for (const [i, each] of gradients.entries()) {
    const count = { type: 'int64', dims: [1], data: BigInt64Array.of(BigInt(i + 1)) } as const;
    const fed = new Map<string, TensorData>([
      ['lr', { type: 'float32', dims: [1], data: Float32Array.of(learningRate) }],
      ['step', count],
      ...[...each.keys()].map((name) => [`step.${name}`, count] as const),
      ...[...each].map(([name, g]) => [`g.${name}`, g] as const),
      ...states,
    ]);
    const feeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of fed)
      if (session.inputNames.includes(name)) feeds[name] = await oracleTensor(copy(tensor));
    const results = await session.run(feeds);
    for (const [name, tensor] of states) {
      const data = Float32Array.from(results[`new.${name}`]?.data as Float32Array);
      states.set(name, { ...tensor, data });
    }
    after.push(
      new Map([...weights.keys()].map((name) => [name, states.get(`w.${name}`)] as never)),
    );
  }
  await session.release();
  return after;
}

/** The kernels work in place. */
function copy(tensor: TensorData): TensorData {
  return { ...tensor, data: tensor.data.slice() as TensorData['data'] };
}
