import { TrainingSession as Session, Tensor } from '@gradware/core/node';
import { describe, expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import type { Model } from '../../packages/core/src/onnx/ir.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { artifactPath, haveArtifacts, readArtifact } from '../support/artifacts.js';
import { createOracleSession } from '../support/ort-training.js';

/** What ORT's own training runtime gave, recorded beside the artifacts. */
interface Recorded {
  readonly feeds: Readonly<
    Record<string, readonly number[] | readonly [string, readonly number[], number]>
  >;
  readonly losses: readonly number[];
  readonly evalLoss?: number;
  readonly trainableParams?: readonly number[];
}

const elements = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** The feeds that the recordings name: sin(q (i + 1) 0.37) with q counting the float inputs, labels i mod classes. */
function feedsOf(recorded: Recorded): Record<string, Tensor> {
  let q = 0;
  return Object.fromEntries(
    Object.entries(recorded.feeds).map(([name, spec]) => {
      if (typeof spec[0] === 'string') {
        const [type, dims, classes] = spec as readonly [string, readonly number[], number];
        const labels = Array.from({ length: elements(dims) }, (_, i) => i % classes);
        const { data } = tensorOf(type === 'i32' ? 'int32' : 'int64', labels);
        return [name, new Tensor(type === 'i32' ? 'int32' : 'int64', data as Int32Array, dims)];
      }
      const dims = spec as readonly number[];
      q += 1;
      const data = Float32Array.from({ length: elements(dims) }, (_, i) =>
        Math.sin(q * (i + 1) * 0.37),
      );
      return [name, new Tensor('float32', data, dims)];
    }),
  );
}

const json = (name: string) => JSON.parse(new TextDecoder().decode(readArtifact(name)));
const only = (feeds: Readonly<Record<string, Tensor>>) => Number(Object.values(feeds)[0]?.data[0]);

function expectClose(found: number, wanted: number, relative = 1e-4): void {
  expect(Math.abs(found - wanted) / Math.abs(wanted), `${found} instead of ${wanted}`).toBeLessThan(
    relative,
  );
}

const recordings = [
  'ort-testdata-mnist',
  'ort-testdata-ort-format',
  'carzh-web-mnist',
  'yalue-go',
] as const;

describe.skipIf(!haveArtifacts(...recordings))('artifacts of ORT with recorded numbers', () => {
  for (const name of recordings)
    test(`${name}: losses, evaluation and parameters of ORT`, async () => {
      const recorded: Recorded = json(`${name}/oracle-ort-web-1.19.2.json`);
      const session = await Session.create(artifactPath(name));
      const feeds = feedsOf(recorded);
      for (const wanted of recorded.losses) expectClose((await session.step(feeds)).loss, wanted);
      expectClose(only(await session.runEvalStep(feeds)), recorded.evalLoss as number);
      const parameters = (await session.getContiguousParameters(true)).data as Float32Array;
      recorded.trainableParams?.forEach((wanted, i) => {
        expect(Math.abs((parameters[i] as number) - wanted)).toBeLessThan(1e-5);
      });
      await session.release();
    });
});

/** The same model without randomness: every ratio of a Dropout is 0. */
function withoutDropout(model: Model): Model {
  const ratios = new Set(
    model.graph.nodes.flatMap(({ opType, inputs }) => {
      if (opType === 'Dropout') return inputs[1] ?? [];
      return opType === 'DropoutGrad' ? (inputs[2] ?? []) : [];
    }),
  );
  const initializers = new Map(model.graph.initializers);
  for (const name of ratios) {
    const tensor = initializers.get(name);
    if (tensor !== undefined) initializers.set(name, tensorOf(tensor.type, [0], tensor.dims));
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

interface Set {
  readonly checkpoint: Uint8Array;
  readonly trainModel: Uint8Array;
  readonly evalModel: Uint8Array;
  readonly optimizerModel: Uint8Array;
}

/** Where a set has other names than the usual ones. */
const names: Readonly<Record<string, Partial<Record<keyof Set, string>>>> = {
  'ort-testdata-mnist': { checkpoint: 'checkpoint.ckpt', optimizerModel: 'adamw.onnx' },
  'ort-testdata-ort-format': {
    trainModel: 'training_model.ort',
    evalModel: 'eval_model.ort',
    optimizerModel: 'optimizer_model.ort',
  },
};

function set(name: string): Set {
  const read = (role: keyof Set, usual: string) =>
    readArtifact(`${name}/${names[name]?.[role] ?? usual}`);
  return {
    checkpoint: read('checkpoint', 'checkpoint'),
    trainModel: read('trainModel', 'training_model.onnx'),
    evalModel: read('evalModel', 'eval_model.onnx'),
    optimizerModel: read('optimizerModel', 'optimizer_model.onnx'),
  };
}

const ours = ({ checkpoint, ...models }: Set) =>
  Session.create({ checkpointState: checkpoint, ...models });

const sets = [
  'srijanie-transformer',
  'yalue-go',
  'ort-testdata-mnist',
  'ort-testdata-ort-format',
] as const;

describe.skipIf(!haveArtifacts(...sets))("ORT's own training runtime, side by side", () => {
  for (const name of sets)
    test(`${name}: every number of the old interface`, async () => {
      const given = set(name);
      const trainModel =
        name === 'srijanie-transformer'
          ? encodeModel(withoutDropout(decodeModel(given.trainModel)))
          : given.trainModel;
      const artifacts = { ...given, trainModel };
      const [theirs, mine] = [await createOracleSession(artifacts), await ours(artifacts)];
      expect(mine.trainingInputNames).toEqual(theirs.trainingInputNames);
      expect(mine.trainingOutputNames).toEqual(theirs.trainingOutputNames);
      expect(mine.evalInputNames).toEqual(theirs.evalInputNames);
      expect(mine.evalOutputNames).toEqual(theirs.evalOutputNames);
      for (const trainable of [true, false])
        expect(await mine.getParametersSize(trainable)).toBe(
          await theirs.getParametersSize(trainable),
        );

      const feeds = feedsOf(json(`${name}/oracle-ort-web-1.19.2.json`));
      async function compare(): Promise<void> {
        for (const trainable of [true, false]) {
          const found = (await mine.getContiguousParameters(trainable)).data as Float32Array;
          const wanted = (await theirs.getContiguousParameters(trainable)).data as Float32Array;
          expect(found.length).toBe(wanted.length);
          const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
          const worst = found.reduce(
            (most, value, i) => Math.max(most, Math.abs(value - (wanted[i] as number))),
            0,
          );
          expect(worst / scale).toBeLessThan(1e-4);
        }
      }

      // Gradients add up where they are not reset: the third step is on the sum of three.
      const script = [
        'train',
        'step',
        'reset',
        'train',
        'train',
        'train',
        'step',
        'train',
        'step',
        'reset',
        'train',
        'step',
      ] as const;
      for (const action of script) {
        if (action === 'reset') await Promise.all([mine.lazyResetGrad(), theirs.lazyResetGrad()]);
        else if (action === 'step') {
          await mine.runOptimizerStep();
          await theirs.runOptimizerStep();
          await compare();
        } else {
          const found = await mine.runTrainStep(feeds);
          const wanted = await theirs.runTrainStep(feeds as never);
          expect(Object.keys(found)).toEqual(Object.keys(wanted));
          expectClose(only(found), only(wanted as never));
        }
      }
      expectClose(
        only(await mine.runEvalStep(feeds)),
        only((await theirs.runEvalStep(feeds as never)) as never),
      );

      // By a list of names or by the keys of an object; ORT itself wants all outputs asked for, or fails with a number.
      for (const [mineRuns, theirsRun, outputs] of [
        [mine.runTrainStep, theirs.runTrainStep, theirs.trainingOutputNames],
        [mine.runEvalStep, theirs.runEvalStep, theirs.evalOutputNames],
      ] as const)
        for (const fetches of [outputs, Object.fromEntries(outputs.map((name) => [name, null]))]) {
          const found = await mineRuns(feeds, fetches);
          const wanted = await theirsRun.call(theirs, feeds as never, fetches as never);
          expect(Object.keys(found)).toEqual(Object.keys(wanted));
          expectClose(only(found), only(wanted as never));
        }

      for (const trainable of [true, false]) {
        const saved = (await theirs.getContiguousParameters(trainable)).data as Float32Array;
        const bytes = new Uint8Array(saved.map((value) => value / 2).buffer);
        await theirs.loadParametersBuffer(bytes, trainable);
        await mine.loadParametersBuffer(bytes, trainable);
        await compare();
        expectClose(
          only(await mine.runEvalStep(feeds)),
          only((await theirs.runEvalStep(feeds as never)) as never),
        );
      }
      await mine.release();
      await theirs.release();
    });

  test('a nominal checkpoint trains once it has values, in both', async () => {
    const given = set('ort-testdata-mnist');
    const checkpoint = readArtifact('ort-testdata-mnist/nominal_checkpoint');
    const full = await ours(given);
    const { data } = await full.getContiguousParameters(false);
    const bytes = new Uint8Array((data as Float32Array).slice().buffer);
    await full.release();
    const theirs = await createOracleSession({ ...given, checkpoint });
    const mine = await ours({ ...given, checkpoint });
    const feeds = feedsOf(json('ort-testdata-mnist/oracle-ort-web-1.19.2.json'));
    await theirs.loadParametersBuffer(bytes, false);
    await mine.loadParametersBuffer(bytes, false);
    for (let i = 0; i < 3; i++) {
      expectClose(
        only(await mine.runTrainStep(feeds)),
        only((await theirs.runTrainStep(feeds as never)) as never),
      );
      for (const session of [mine, theirs]) {
        await session.runOptimizerStep();
        await session.lazyResetGrad();
      }
    }
    await mine.release();
    await theirs.release();
  });

  test.each([true, false])(
    'a checkpoint written by us continues in ORT, optimizer state: %s',
    async (includeOptimizerState) => {
      const given = set('yalue-go');
      const feeds = feedsOf(json('yalue-go/oracle-ort-web-1.19.2.json'));
      const first = await ours(given);
      for (let i = 0; i < 3; i++) await first.step(feeds);
      const properties = { epoch: 3n, best: 0.5, note: 'x' };
      const checkpoint = await first.checkpoint({
        ...{ format: 'ort', includeOptimizerState, properties },
      });
      const theirs = await createOracleSession({ ...given, checkpoint });
      const mine = await ours({ ...given, checkpoint });
      expect(mine.properties).toEqual(properties);
      for (let i = 0; i < 3; i++) {
        const wanted = only((await theirs.runTrainStep(feeds as never)) as never);
        // Without its state the optimizer begins anew: the first loss only is that of the run.
        if (includeOptimizerState || i === 0) expectClose(wanted, (await first.step(feeds)).loss);
        expectClose((await mine.step(feeds)).loss, wanted);
        await theirs.runOptimizerStep();
        await theirs.lazyResetGrad();
      }
      for (const session of [first, mine, theirs]) await session.release();
    },
  );
});

describe.skipIf(!haveArtifacts('ort-testdata-custom-ops'))(
  'artifacts that cannot be trained',
  () => {
    test('custom ops are refused by name', async () => {
      const files = {
        checkpointState: artifactPath('ort-testdata-custom-ops/checkpoint'),
        trainModel: artifactPath('ort-testdata-custom-ops/training_model.onnx'),
      };
      const attempt = Session.create(files);
      await expect(attempt).rejects.toMatchObject({ code: 'NO_LOWERING' });
      await expect(attempt).rejects.toThrow(/CustomOpOne/);
    });
  },
);
