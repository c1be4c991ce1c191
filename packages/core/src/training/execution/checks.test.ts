import { Tensor } from 'onnxruntime-common';
import { expect, test } from 'vitest';
import { createBuilder } from '../../graph/builder.js';
import { checkLabels, findLabels } from './checks.js';

/** A loss that takes the label to ignore from an input. */
function ignoring() {
  const builder = createBuilder();
  const scores = builder.declare({ name: 'scores', type: 'float32', shape: [2, 3] });
  const inputs = (['labels', 'ignored'] as const).map((name) =>
    builder.declare({ name, type: 'int64', shape: [name === 'labels' ? 2 : 1] }),
  );
  const [labels, ignored] = inputs;
  builder.op.SoftmaxCrossEntropyLossInternal(scores, labels, undefined, ignored);
  return { builder, inputs };
}

const feeds = (labels: readonly bigint[], ignored: bigint) => ({
  labels: new Tensor('int64', BigInt64Array.from(labels), [2]),
  ignored: new Tensor('int64', BigInt64Array.of(ignored), [1]),
});

test.each([
  ['cpu', -(2n ** 40n), undefined],
  ['webgpu', -65536n, undefined],
  ['webgpu', 65536n, undefined],
  ['webgpu', 65537n, 'webgpu cannot look for labels of 65537 (input "ignored")'],
  ['webgpu', -(2n ** 40n), 'webgpu cannot look for labels of -1099511627776'],
] as const)('on %s a label to ignore of %s', (provider, label, problem) => {
  const { builder, inputs } = ignoring();
  const found = findLabels(builder, inputs, undefined, provider);
  const check = () => checkLabels(found, feeds([1n, label], label));
  if (problem === undefined) expect(check).not.toThrow();
  else expect(check).toThrow(problem);
  expect(() => checkLabels(found, feeds([1n, 3n], -1n))).toThrow(/label 3 is out of range.*row 1/s);
});

test('rows may differ in the label that they ignore', () => {
  const { builder, inputs } = ignoring();
  const found = findLabels(builder, inputs, undefined, 'cpu');
  const { labels } = feeds([7n, 8n], 0n);
  const each = (...own: bigint[]) => new Tensor('int64', BigInt64Array.from(own), [2, 1]);
  const rows = [[0], [1]];
  expect(() => checkLabels(found, { labels, ignored: each(7n, 8n) }, rows)).not.toThrow();
  expect(() => checkLabels(found, { labels, ignored: each(8n, 7n) }, rows)).toThrow(/label 7/);
});
