import { TrainingSession as Session, Tensor } from '@gradware/core/node';
import { describe, expect, test } from 'vitest';
import { optimizerModel } from '../../packages/core/src/artifacts/write-optimizer-model.js';
import { writeOrtCheckpoint } from '../../packages/core/src/artifacts/write-ort-checkpoint.js';
import {
  createBuilder,
  type GraphBuilder,
  type Op,
} from '../../packages/core/src/graph/builder.js';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Value } from '../../packages/core/src/graph/value.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { expectClose, generator, int64, map } from '../support/compare.js';
import { createOracleSession, oracleTensor } from '../support/ort-training.js';

// Training models as ORT's tools write them, with ops that no genuine set at hand has.

const random = generator(31);
type Named = Readonly<Record<string, TensorData>>;

interface Sketch {
  readonly feeds: Named;
  readonly trainable: Named;
  readonly frozen?: Named;
  /** Scores [samples, classes], and how the gradient of the scores goes back to each parameter. */
  build(
    op: Op,
    at: (name: string) => Value,
  ): {
    readonly scores: Value;
    backward(dScores: Value): Readonly<Record<string, Value>>;
  };
}

const [batch, classes] = [4, 3];
const labels = int64([0, 2, 1, 2]);

const recurrent = (gates: 3 | 4): Sketch => {
  const [steps, features] = [5, 2];
  return {
    feeds: { x: random(steps, batch, features), labels },
    trainable: {
      w: random(1, gates * classes, features),
      r: random(1, gates * classes, classes),
      b: random(1, 2 * gates * classes),
    },
    build(op, at) {
      const [x, w, r, b] = ['x', 'w', 'r', 'b'].map(at) as [Value, Value, Value, Value];
      const hidden = { hidden_size: classes };
      if (gates === 4) {
        const [all, last, , cells, stash] = op.LSTMTraining(x, w, r, b, hidden);
        return {
          scores: op.reshape(last as Value, [batch, classes]),
          backward(dScores) {
            const dLast = op.reshape(dScores, [1, batch, classes]);
            const [, dw, dr, db] = op.LSTMGrad(
              ...[x, w, r, null, null, null, all, cells, stash, null, dLast, null],
              hidden,
            );
            return { w: dw, r: dr, b: db } as Record<string, Value>;
          },
        };
      }
      const settings = { ...hidden, linear_before_reset: 1 };
      const [all, last, stash] = op.GRUTraining(x, w, r, b, settings);
      return {
        scores: op.reshape(last as Value, [batch, classes]),
        backward(dScores) {
          const dLast = op.reshape(dScores, [1, batch, classes]);
          const [, dw, dr, db] = op.GRUGrad(
            ...[x, w, r, b, null, null, all, stash, null, dLast],
            settings,
          );
          return { w: dw, r: dr, b: db } as Record<string, Value>;
        },
      };
    },
  };
};

const batchNorm: Sketch = {
  feeds: { x: map(random(batch, classes, 5), (v) => v * 2 + 1), labels },
  trainable: { scale: random(classes), bias: random(classes) },
  frozen: {
    mean: tensorOf('float32', [0, 0, 0]),
    variance: tensorOf('float32', [1, 1, 1]),
  },
  build(op, at) {
    const [x, scale] = [at('x'), at('scale')];
    const [y, , , saved, invStd] = op.BatchNormInternal(
      ...[x, scale, at('bias'), at('mean'), at('variance')],
      { training_mode: 1 },
    );
    return {
      scores: op.ReduceMax(y as Value, op.ints([2]), { keepdims: 0 }),
      backward(dScores) {
        const peak = op.ReduceMax(y as Value, op.ints([2]), { keepdims: 1 });
        const hit = op.cast(op.Equal(y as Value, peak), 'float32');
        const dy = op.Mul(hit, op.reshape(dScores, [batch, classes, 1]));
        const [, dscale, dbias] = op.BatchNormalizationGrad(dy, x, scale, saved, invStd, {
          epsilon: 1e-5,
        });
        return { scale: dscale, bias: dbias } as Record<string, Value>;
      },
    };
  },
};

/** The three files of a set. */
function artifactsOf(sketch: Sketch) {
  const { feeds, trainable, frozen = {} } = sketch;
  const builder = createBuilder();
  const { op } = builder;
  const fed = Object.entries({ ...feeds, ...trainable, ...frozen }).map(([name, tensor]) =>
    builder.declare({ name, type: tensor.type, shape: tensor.dims }),
  );
  const at = (name: string) => builder.value(name);
  const { scores, backward } = sketch.build(op, at);
  const loss = { name: 'loss', type: 'float32', shape: [] } as const;
  const [, logProbability] = builder.emit(
    'SoftmaxCrossEntropyLoss',
    [scores, at('labels')],
    {},
    { outputs: ['loss', 'log_prob'], types: [loss, scores] },
  );
  const seed = builder.initializer('loss_grad', tensorOf('float32', [1], []));
  const dScores = op.SoftmaxCrossEntropyLossGrad(seed, logProbability, at('labels'), {
    reduction: 'mean',
  });
  const reset = builder.declare({ name: 'lazy_reset_grad', type: 'bool', shape: [1] });
  const accumulated = Object.entries(backward(dScores)).map(([name, gradient]) =>
    accumulate(builder, name, gradient, reset),
  );
  return {
    checkpointState: writeOrtCheckpoint({
      trainable: new Map(Object.entries(trainable)),
      frozen: new Map(Object.entries(frozen)),
      nominal: false,
      optimizer: undefined,
      properties: new Map(),
    }),
    trainModel: encodeModel({
      graph: {
        name: 'training',
        nodes: builder.nodes,
        inputs: [...fed, ...accumulated.map(({ buffer }) => buffer), reset],
        outputs: [loss, ...accumulated.map(({ out }) => out)],
        initializers: builder.initializers,
        valueInfo: new Map(),
      },
      opsets: new Map([
        ['', 18],
        ['com.microsoft', 1],
      ]),
      irVersion: 8,
      functions: [],
      metadata: new Map(),
      producer: 'gradware-test',
    }),
    optimizerModel: encodeModel(
      optimizerModel({
        kind: 'adamw',
        mode: 'huggingface',
        betas: [0.9, 0.999],
        epsilon: 1e-6,
        weightDecay: 0,
        biasCorrection: true,
      }),
    ),
  };
}

function accumulate(builder: GraphBuilder, name: string, gradient: Value, reset: Value) {
  const named = builder.emit('Identity', [gradient], {}, { outputs: [`${name}_grad`] });
  const { type, shape } = gradient;
  const buffer = builder.declare({ name: `${name}_grad.accumulation.buffer`, type, shape });
  const [out] = builder.emit(
    'InPlaceAccumulatorV2',
    [buffer, named[0], reset],
    {},
    {
      outputs: [`${name}_grad.accumulation.out`],
      types: [{ type: 'bool', shape: [1] }],
    },
  );
  return { buffer, out: out as Value };
}

const sketches = { LSTM: recurrent(4), GRU: recurrent(3), 'batch norm': batchNorm };

describe.each(Object.entries(sketches))('a training model with %s', (_, sketch) => {
  test('trains as in ORT, statistics and accumulated gradients included', async () => {
    const artifacts = artifactsOf(sketch);
    const { checkpointState, ...models } = artifacts;
    const theirs = await createOracleSession({ checkpoint: checkpointState, ...models });
    const ours = await Session.create(artifacts);
    const fed = Object.entries(sketch.feeds);
    const mine = Object.fromEntries(
      fed.map(([name, { type, data, dims }]) => [
        name,
        new Tensor(type as 'float32', data as Float32Array, dims),
      ]),
    );
    const oracle = Object.fromEntries(
      await Promise.all(fed.map(async ([name, tensor]) => [name, await oracleTensor(tensor)])),
    );
    const tensor = ({ data, dims }: { data: unknown; dims: readonly number[] }): TensorData => ({
      type: 'float32',
      dims,
      data: data as Float32Array,
    });
    for (const gathered of [1, 1, 3, 1]) {
      for (let i = 0; i < gathered; i++) {
        const [found, wanted] = [await ours.runTrainStep(mine), await theirs.runTrainStep(oracle)];
        expect(Object.keys(found)).toEqual(Object.keys(wanted));
        expectClose(tensor(found.loss as never), tensor(wanted.loss as never), 1e-5);
      }
      await ours.runOptimizerStep();
      await theirs.runOptimizerStep();
      for (const trainable of [true, false]) {
        const all = await theirs.getContiguousParameters(trainable);
        expectClose(
          tensor(await ours.getContiguousParameters(trainable)),
          tensor(all as never),
          1e-5,
        );
      }
      await ours.lazyResetGrad();
      await theirs.lazyResetGrad();
    }
    await ours.release();
    await theirs.release();
  });
});
