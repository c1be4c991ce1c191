import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { createBuilder } from '../../packages/core/src/graph/builder.js';
import { numbersOf, tensorOf } from '../../packages/core/src/graph/constants.js';
import { inferTypes } from '../../packages/core/src/graph/infer.js';
import { upgradeModel } from '../../packages/core/src/graph/upgrade.js';
import { elementCount, type Value } from '../../packages/core/src/graph/value.js';
import { nodeRuntime, TrainingSession } from '../../packages/core/src/node.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { createShapeOracle } from '../../packages/core/src/runtime/shape-oracle.js';
import { type GradientCase, nameOf, relativeDistance } from '../support/check-gradients.js';
import { generator } from '../support/compare.js';
import { modelWriter } from '../support/forward-models.js';
import { laterOps } from './attention-cases.js';

/** The whole model of a case, of the opset of its op, and numbers for its inputs. */
function modelOf({ op, inputs, build }: GradientCase) {
  const builder = createBuilder();
  const random = generator(7);
  const feeds = new Map<string, TensorData>();
  const operands = inputs.map((input, i): Value | null => {
    if (input === null) return null;
    if (!('type' in input)) {
      const shape = input as readonly number[];
      feeds.set(`x${i}`, random(...shape));
      return builder.declare({ name: `x${i}`, type: 'float32', shape });
    }
    const type = input.type === 'float' ? 'float32' : input.type;
    return builder.op.constant(tensorOf(type, input.values, input.dims));
  });
  const y = build?.(builder.op, operands as readonly Value[], builder.emit) as Value;
  const model: Model = {
    graph: {
      name: 'later',
      nodes: builder.nodes,
      inputs: [...feeds].map(([name, { type, dims }]) => ({ name, type, shape: dims })),
      outputs: [{ name: y.name, type: y.type, shape: y.shape }],
      initializers: builder.initializers,
      valueInfo: new Map(),
    },
    opsets: new Map([['', op === 'Swish' ? 24 : 23]]),
    irVersion: 10,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  };
  return { model, feeds, output: y };
}

async function run(model: Model, feeds: ReadonlyMap<string, TensorData>, output: Value) {
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 4 });
  const fed = [...feeds].map(([name, tensor]) => {
    const data = Float32Array.from(numbersOf(tensor) ?? []);
    return [name, new Tensor('float32', data, tensor.dims)] as const;
  });
  const results = await session.run(Object.fromEntries(fed));
  await session.release();
  return tensorOf('float32', Array.from(results[output.name]?.data as Float32Array), output.shape);
}

test.each(laterOps.map((checked) => ({ name: nameOf(checked), checked })))(
  "$name is what ORT's kernel of that opset computes",
  async ({ checked }) => {
    const { model, feeds, output } = modelOf(checked);
    const { graph, ...rest } = upgradeModel(model);
    const inputs = graph.inputs.map(({ name }) => {
      const { type, dims } = feeds.get(name) as TensorData;
      return { name, type, shape: dims };
    });
    const builder = await inferTypes(graph, inputs, createShapeOracle(nodeRuntime));
    const ours = {
      ...rest,
      graph: { ...graph, nodes: builder.nodes, initializers: builder.initializers },
    };
    expect(builder.nodes.some(({ opType }) => opType === checked.op)).toBe(false);
    const theirs = await run(model, feeds, output);
    expect(elementCount(theirs.dims)).toBeGreaterThan(0);
    expect(relativeDistance(await run(ours, feeds, output), theirs)).toBeLessThan(1e-5);
  },
);

test('a model with Swish trains, and is exported as one that ORT runs', async () => {
  const { add, weight, model } = modelWriter();
  const hidden = add('MatMul', ['x', weight('w', [4, 5])]);
  const frozen = add('Swish', ['x'], { alpha: 0.7 });
  add('Concat', [add('Swish', [hidden]), frozen], { axis: 1 }, 'y');
  const bytes = encodeModel({ ...model(['n', 4], ['n', 9]), opsets: new Map([['', 24]]) });
  const session = await TrainingSession.create(bytes, { loss: 'mse', learningRate: 0.05 });
  const random = generator(3);
  const [x, target] = [random(6, 4), random(6, 9)].map(
    ({ data, dims }) => new Tensor('float32', data as Float32Array, dims),
  ) as [Tensor, Tensor];
  const { losses } = await session.steps([1, 2, 3, 4].map(() => ({ x, target })));
  expect(losses[3]).toBeLessThan(losses[0] ?? 0);
  const exported = await InferenceSession.create(await session.exportModel());
  const evaluated = await session.runEvalStep({ x, target });
  await session.release();
  const y = (await exported.run({ x })).y?.data as Float32Array;
  await exported.release();
  const wanted = target.data as Float32Array;
  const loss = y.reduce((sum, value, i) => sum + (value - (wanted[i] ?? 0)) ** 2, 0) / y.length;
  expect(Number(evaluated.loss?.data[0])).toBeCloseTo(loss, 5);
});
