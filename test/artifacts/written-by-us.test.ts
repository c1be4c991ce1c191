import { expect, test } from 'vitest';
import {
  type Checkpoint,
  readOrtCheckpoint,
} from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { writeOrtCheckpoint } from '../../packages/core/src/artifacts/write-ort-checkpoint.js';
import { elementCount } from '../../packages/core/src/onnx/element-types.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { makeTensor, zeros } from '../../packages/core/src/onnx/tensor.js';
import { haveArtifacts, readArtifact } from '../support/artifacts.js';
import { createOracleSession, oracleTensor } from '../support/ort-training.js';

type FloatFeed = readonly number[];
type LabelFeed = readonly [type: 'i64', dims: readonly number[], classes: number];

const isLabels = (feed: FloatFeed | LabelFeed): feed is LabelFeed => feed[0] === 'i64';

/** What a set's oracle file records of five steps by ORT's own training runtime. */
interface Recorded {
  readonly feeds: Readonly<Record<string, FloatFeed | LabelFeed>>;
  readonly losses: readonly number[];
}

async function lossesFrom(folder: string, checkpoint: Checkpoint): Promise<readonly number[]> {
  const rewritten = (name: string): Uint8Array =>
    encodeModel(decodeModel(readArtifact(`${folder}/${name}`), { file: name }));
  const session = await createOracleSession({
    checkpoint: writeOrtCheckpoint(checkpoint),
    trainModel: rewritten('training_model.onnx'),
    evalModel: rewritten('eval_model.onnx'),
    optimizerModel: rewritten('optimizer_model.onnx'),
  });
  const feeds: Record<string, Awaited<ReturnType<typeof oracleTensor>>> = {};
  for (const [index, [name, feed]] of Object.entries(recorded(folder).feeds).entries()) {
    const [type, dims] = isLabels(feed)
      ? (['int64', feed[1]] as const)
      : (['float32', feed] as const);
    const values = Array.from({ length: elementCount(dims) }, (_, i) =>
      isLabels(feed) ? i % feed[2] : Math.sin((index + 1) * (i + 1) * 0.37),
    );
    feeds[name] = await oracleTensor(makeTensor(type, dims, values));
  }
  const losses: number[] = [];
  for (let step = 0; step < 5; step++) {
    const results = await session.runTrainStep(feeds);
    losses.push(Number(results[session.trainingOutputNames[0] ?? '']?.data[0]));
    await session.runOptimizerStep();
    await session.lazyResetGrad();
  }
  await session.release();
  return losses;
}

const recorded = (folder: string): Recorded =>
  JSON.parse(new TextDecoder().decode(readArtifact(`${folder}/oracle-ort-web-1.19.2.json`)));

const read = (folder: string): Checkpoint =>
  readOrtCheckpoint(readArtifact(`${folder}/checkpoint`), { file: folder });

for (const folder of ['yalue-go', 'carzh-web-mnist']) {
  test.runIf(haveArtifacts(`${folder}/oracle-ort-web-1.19.2.json`))(
    `ORT trains from models and a checkpoint that we wrote (${folder})`,
    async () => {
      expect(await lossesFrom(folder, read(folder))).toEqual(recorded(folder).losses);
    },
  );
}

test.runIf(haveArtifacts('yalue-go/oracle-ort-web-1.19.2.json'))(
  'ORT takes up the optimizer state and the properties that we wrote',
  async () => {
    const checkpoint = read('yalue-go');
    const state = (momentum: (dims: readonly number[]) => ReturnType<typeof zeros>) => ({
      ...checkpoint,
      optimizer: {
        step: 0,
        initialLearningRate: 0.001,
        momentums: new Map(
          Array.from(checkpoint.trainable, ([name, { dims }]) => [
            name,
            new Map([
              ['momentum0', momentum(dims)],
              ['momentum1', zeros('float32', dims)],
            ]),
          ]),
        ),
      },
      properties: new Map<string, number | bigint | string>([
        ['epoch', 1n],
        ['best', 0.5],
        ['note', 'x'],
      ]),
    });
    const { losses } = recorded('yalue-go');
    expect(
      await lossesFrom(
        'yalue-go',
        state((dims) => zeros('float32', dims)),
      ),
    ).toEqual(losses);
    const moving = state((dims) => {
      const { data } = zeros('float32', dims);
      return makeTensor('float32', dims, new Float32Array(data.length).fill(0.5));
    });
    const moved = await lossesFrom('yalue-go', moving);
    expect(moved[0]).toBe(losses[0]);
    expect(moved[1]).not.toBe(losses[1]);
  },
);
