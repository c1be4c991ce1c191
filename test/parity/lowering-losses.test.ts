import { describe, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { compare, generator, like, map } from '../support/compare.js';
import { runOracleNode } from '../support/ort-training.js';

const random = generator(12);
const scalar = { type: 'float32' as const, shape: [] };

function labelsFor(shape: readonly number[], type: 'int32' | 'int64', ignored: number | undefined) {
  const [classes = 1, ...rest] = shape.slice(1);
  const dims = [shape[0] ?? 1, ...rest];
  const raw = Array.from(random(...dims).data as Float32Array);
  const values = raw.map((v, i) =>
    i % 3 === 1 && ignored !== undefined ? ignored : Math.floor(((v + 1) / 2) * classes),
  );
  return tensorOf(type, values, dims);
}

const grid = [[[5, 4]], [[2, 3, 4]], [[2, 3, 2, 3]]].flatMap(([shape]) =>
  ['mean', 'sum', 'none'].flatMap((reduction) =>
    [false, true].flatMap((weighted) =>
      [undefined, -1, -100, 1].map((ignored) => ({
        shape: shape as number[],
        reduction,
        weighted,
        ignored,
      })),
    ),
  ),
);

describe.each(grid)('$shape $reduction, weights $weighted, ignore_index $ignored', (given) => {
  const { shape, reduction, weighted, ignored } = given;
  const type = shape.length === 3 ? 'int32' : 'int64';
  const scores = map(random(...shape), (v) => v * 3);
  const labels = labelsFor(shape, type, ignored);
  const weights = weighted ? map(random(shape[1] ?? 1), (v) => v + 1.5) : undefined;
  const loss = reduction === 'none' ? { type: 'float32' as const, shape: labels.dims } : scalar;
  const attributes = { reduction, ignore_index: ignored };

  test('SoftmaxCrossEntropyLoss', () =>
    compare({
      opType: 'SoftmaxCrossEntropyLoss',
      inputs: [scores, labels, weights],
      attributes,
      outputs: [loss, like(scores)],
    }));

  test('SoftmaxCrossEntropyLossGrad', async () => {
    const dy = reduction === 'none' ? random(...labels.dims) : tensorOf('float32', [1.75], []);
    const forward = { opType: 'SoftmaxCrossEntropyLoss', inputs: [scores, labels], attributes };
    const [, logProbability] = await runOracleNode({ ...forward, outputs: [loss, like(scores)] });
    await compare({
      opType: 'SoftmaxCrossEntropyLossGrad',
      inputs: [dy, logProbability, labels, weights],
      attributes,
      outputs: [like(scores)],
    });
  });
});
