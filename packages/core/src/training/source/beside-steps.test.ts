import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../../graph/constants.js';
import { inspectFallbacks, nodeRuntime, TrainingSession } from '../../node.js';
import type { Attribute, Node } from '../../onnx/ir.js';
import { encodeModel } from '../../onnx/model.js';
import { sgd } from '../../optimizers/sgd.js';
import type { TrainingOptions } from '../api.js';
import { inspectModel } from '../inspect/inspect-model.js';

const node = (
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = '',
): Node => ({ name: output, opType, domain, inputs, outputs: [output], attributes });

const ml = 'ai.onnx.ml';

/** A classifier of three classes, as skl2onnx writes it: labels 10, 20, 30, and a map of probabilities an example. */
function classifier(further: readonly Node[] = []) {
  const outputs = further.flatMap((each) => each.outputs);
  return encodeModel({
    graph: {
      name: 'classifier',
      nodes: [
        node('MatMul', ['x', 'w'], 'scores'),
        node('Softmax', ['scores'], 'probabilities', { axis: { type: 'int', value: 1 } }),
        node('ArgMax', ['probabilities'], 'best', { axis: { type: 'int', value: 1 } }),
        node('ArrayFeatureExtractor', ['classes', 'best'], 'picked', {}, ml),
        node('Reshape', ['picked', 'flat'], 'label'),
        node(
          'ZipMap',
          ['probabilities'],
          'maps',
          { classlabels_int64s: { type: 'ints', value: [10, 20, 30] } },
          ml,
        ),
        ...further,
      ],
      inputs: [{ name: 'x', type: 'float32', shape: ['n', 2] }],
      outputs: [
        { name: 'label', type: 'int64', shape: [null] },
        { name: 'probabilities', type: 'float32', shape: ['n', 3] },
        { name: 'maps', type: 'sequence', map: { key: 'int64', value: 'float32' } },
        ...outputs.map((name) => ({ name })),
      ],
      initializers: new Map([
        ['w', tensorOf('float32', [1, 0, 0, 0, 1, 0], [2, 3])],
        ['classes', tensorOf('int64', [10, 20, 30], [3])],
        ['flat', tensorOf('int64', [-1], [1])],
      ]),
      valueInfo: new Map(),
    },
    opsets: new Map([
      ['', 17],
      [ml, 1],
    ]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'test',
  });
}

const feeds = () => ({
  x: new Tensor('float32', [3, 0, 0, 3], [2, 2]),
  labels: new Tensor('int64', [0n, 1n], [2]),
});

const open = (bytes: Uint8Array, options: TrainingOptions = {}) =>
  TrainingSession.create(bytes, {
    optimizer: sgd(),
    learningRate: 0.5,
    lossInputNames: ['scores'],
    ...options,
  });

test('a classifier trains whose labels are made by operators that steps do not have', async () => {
  const session = await open(classifier());
  const { loss } = await session.step(feeds());
  expect((await session.step(feeds())).loss).toBeLessThan(loss);

  const { label, probabilities, ...others } = await session.runEvalStep(feeds());
  expect(Object.keys(others)).toEqual(['loss']);
  expect(Array.from(label?.data as BigInt64Array)).toEqual([10n, 20n]);
  expect(session.evalOutputNames).toEqual(['loss', 'label', 'probabilities']);

  const exported = await InferenceSession.create(await session.exportModel());
  expect(exported.outputNames).toEqual(['label', 'probabilities', 'maps']);
  const again = await exported.run({ x: feeds().x }, ['label', 'probabilities']);
  expect(again.label?.data).toEqual(label?.data);
  expect(again.probabilities?.data).toEqual(probabilities?.data);
  await session.release();
});

test('what the loss or a returned output needs is refused, with the outputs that do without', async () => {
  const refused =
    /cannot run ai\.onnx\.ml\.ArrayFeatureExtractor,? .*lossInputNames\): probabilities\./s;
  await expect(open(classifier(), { lossInputNames: ['label'] })).rejects.toThrow(refused);
  await expect(open(classifier(), { additionalOutputNames: ['label'] })).rejects.toThrow(
    /cannot run ai\.onnx\.ml\.ArrayFeatureExtractor/,
  );
});

test('an output of an operator that no ONNX Runtime has is left out of evaluations, and stays in the model', async () => {
  const session = await open(classifier([node('Explain', ['scores'], 'why', {}, 'acme')]));
  expect(session.evalOutputNames).toEqual(['loss', 'label', 'probabilities']);
  const { label } = await session.runEvalStep(feeds());
  expect(Array.from(label?.data as BigInt64Array)).toEqual([10n, 20n]);
  await session.release();
});

test('inspect says so, too', async () => {
  const refusedIn = async (name: string) =>
    (await inspectModel(nodeRuntime.files, classifier(), { lossInputNames: [name] })).ops
      .filter(({ runs }) => !runs)
      .map(({ op }) => op);
  expect(await refusedIn('scores')).toEqual([]);
  expect(await refusedIn('label')).toEqual(['ArrayFeatureExtractor']);
});

test('evaluations that are written for webgpu have them, too, on the CPU', async () => {
  const left = await inspectFallbacks(classifier(), { lossInputNames: ['scores'] });
  expect(left.map(({ op }) => op)).toContain('ArrayFeatureExtractor');
});
