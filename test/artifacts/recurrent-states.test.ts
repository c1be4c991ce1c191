import { expect, test } from 'vitest';
import { writeOrtCheckpoint } from '../../packages/core/src/artifacts/write-ort-checkpoint.js';
import { toAttributes } from '../../packages/core/src/graph/value.js';
import {
  convertArtifacts,
  nodeRuntime,
  sgd,
  TrainingSession,
} from '../../packages/core/src/node.js';
import type { Graph, Model, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { toTensor } from '../../packages/core/src/runtime/tensors.js';
import { expectClose, generator } from '../support/compare.js';
import { createOracleSession, oracleTensor } from '../support/ort-training.js';

const [steps, batch, features, hidden] = [4, 3, 2, 5];
const random = generator(29);

/** How many gates there are, what ORT's tool gives the gradient op where the forward op has no initial states, and what
 *  the forward op puts out. */
const kinds = {
  LSTM: {
    gates: 4,
    given: ['x', 'W', 'R', '', 'all', 'cells', 'stash'],
    outputs: ['all', '', '', 'cells', 'stash'],
  },
  GRU: { gates: 3, given: ['x', 'W', 'R', 'B', '', 'all', 'stash'], outputs: ['all', '', 'stash'] },
} as const;

const node = (
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes = {},
  domain = '',
): Node => ({
  ...{ name: outputs.join(), opType, domain, inputs, outputs },
  attributes: toAttributes(attributes),
});

const float = (name: string, shape: readonly number[]) =>
  ({ name, type: 'float32', shape }) as const;

function modelOf(
  graph: Pick<Graph, 'nodes' | 'inputs' | 'outputs'>,
  initializers: Graph['initializers'],
): Uint8Array {
  const model: Model = {
    graph: { name: 'recurrent', initializers, valueInfo: new Map(), ...graph },
    ...{
      opsets: new Map([
        ['', 14],
        ['com.microsoft', 1],
      ]),
      irVersion: 8,
      functions: [],
    },
    ...{ metadata: new Map(), producer: 'gradware-test' },
  };
  return encodeModel(model);
}

/** The loss is the sum of all states times `t`, so that `t` is their gradient. */
const lossNodes = [
  node('Mul', ['all', 't'], ['weighted']),
  node('ReduceSum', ['weighted'], ['loss'], { keepdims: 0 }),
];
const inputs = [float('x', [steps, batch, features]), float('t', [steps, 1, batch, hidden])];

test.each(['LSTM', 'GRU'] as const)(
  "an %s without initial states, whose gradient op ORT's tool gives too few inputs, trains",
  async (kind) => {
    const { gates, given, outputs } = kinds[kind];
    const weights = new Map<string, TensorData>([
      ['W', random(1, gates * hidden, features)],
      ['R', random(1, gates * hidden, hidden)],
      ['B', random(1, 2 * gates * hidden)],
    ]);
    const settings = { hidden_size: hidden };
    const names = [...weights.keys()];
    const training = modelOf(
      {
        nodes: [
          node(`${kind}Training`, ['x', 'W', 'R', 'B', ''], outputs, settings, 'com.microsoft'),
          ...lossNodes,
          node(
            `${kind}Grad`,
            [...given, 't', ...(kind === 'LSTM' ? ['', ''] : [''])],
            ['', 'W_grad', 'R_grad', 'B_grad'],
            settings,
            'com.microsoft',
          ),
          ...names.map((name) =>
            node(
              'InPlaceAccumulatorV2',
              [`${name}_grad.accumulation.buffer`, `${name}_grad`, 'lazy_reset_grad'],
              [`${name}_grad.accumulation.out`],
              {},
              'com.microsoft',
            ),
          ),
        ],
        inputs: [
          ...inputs,
          ...names.map((name) => float(name, weights.get(name)?.dims ?? [])),
          ...names.map((name) =>
            float(`${name}_grad.accumulation.buffer`, weights.get(name)?.dims ?? []),
          ),
          { name: 'lazy_reset_grad', type: 'bool', shape: [1] },
        ],
        outputs: [
          float('loss', []),
          ...names.map(
            (name) =>
              ({ name: `${name}_grad.accumulation.out`, type: 'bool', shape: [1] }) as const,
          ),
        ],
      },
      new Map(),
    );
    const artifacts = {
      trainModel: training,
      checkpointState: writeOrtCheckpoint({
        trainable: weights,
        frozen: new Map(),
        nominal: false,
        properties: new Map(),
      }),
    };
    const forward = modelOf(
      {
        nodes: [node(kind, ['x', 'W', 'R', 'B'], ['all'], settings), ...lossNodes],
        inputs,
        outputs: [float('loss', [])],
      },
      weights,
    );
    const options = { optimizer: sgd(), learningRate: 0.1 };
    const ours = await TrainingSession.create(artifacts, options);
    const wanted = await TrainingSession.create(forward, { ...options, loss: 'output' });
    const converted = await convertArtifacts(artifacts);
    const theirs = await createOracleSession({
      checkpoint: converted.checkpointState,
      trainModel: converted.trainModel,
    });
    for (let i = 0; i < 2; i++) {
      const tensors = { x: random(steps, batch, features), t: random(steps, 1, batch, hidden) };
      const feeds = Object.fromEntries(
        Object.entries(tensors).map(([name, tensor]) => [
          name,
          toTensor(nodeRuntime.Tensor, tensor),
        ]),
      );
      const { loss } = await wanted.step(feeds);
      if (i === 0) {
        const results = await theirs.runTrainStep({
          x: await oracleTensor(tensors.x),
          t: await oracleTensor(tensors.t),
        });
        expect(Number(results.loss?.data[0])).toBeCloseTo(loss, 4);
      }
      expect((await ours.step(feeds)).loss).toBeCloseTo(loss, 4);
    }
    for (const name of names) {
      const [found, right] = [await ours.getParameter(name), await wanted.getParameter(name)];
      expectClose(
        { type: 'float32', dims: found.dims, data: found.data as Float32Array },
        { type: 'float32', dims: right.dims, data: right.data as Float32Array },
        1e-5,
      );
    }
    for (const session of [ours, wanted, theirs]) await session.release();
  },
);
