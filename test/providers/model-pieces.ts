import { readdirSync, readFileSync } from 'node:fs';
import { sgd } from '@gradware/core';
import { Tensor } from '@gradware/core/node';
import { decodeNpz } from '@gradware/data';
import { trainingSessions } from '../../packages/core/src/container.js';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import { below, goldenNetworks } from '../parity/golden.js';
import { batchOf } from '../support/golden-batch.js';
import { type Piece, record } from './piece.js';

const file = (path: string) => new URL(`../../${path}`, import.meta.url);

interface WholeModel {
  readonly source: URL | Uint8Array;
  readonly isForward: boolean;
  readonly batch: Readonly<Record<string, Tensor>>;
}

/** Everything that is trained as a whole: the models of test/golden, and those of models/ through both doors. */
export function wholeModels(): ReadonlyMap<string, () => WholeModel> {
  const names = readdirSync(file('test/golden/'))
    .filter((name) => /^model-.*\.onnx$/.test(name))
    .map((name) => name.replace(/^model-(.*)\.onnx$/, '$1'));
  return new Map([
    ...names.sort().map((name) => [name, () => goldenModel(name)] as const),
    ...['mlp', 'cnn'].flatMap((name) => [
      [`digits ${name}`, () => digits(`models/digits/${name}.onnx`, true)] as const,
      [
        `digits ${name}, artifacts`,
        () => digits(`models/digits/artifacts/${name}`, false),
      ] as const,
    ]),
  ]);
}

function goldenModel(name: string): WholeModel {
  const source = new Uint8Array(readFileSync(file(`test/golden/model-${name}.onnx`)));
  const own = below(goldenNetworks(), name);
  const type = decodeModel(source).graph.inputs[0]?.type;
  return { source, isForward: true, batch: batchOf(own, 0, type) };
}

const batchSize = 4;

function digits(path: string, isForward: boolean): WholeModel {
  const arrays = decodeNpz(readFileSync(file('models/digits/digits-test.npz')), { where: path });
  const [images, labels] = [arrays.get('image'), arrays.get('labels')];
  if (images === undefined || labels === undefined) throw new Error([...arrays.keys()].join());
  const dims = [batchSize, ...images.shape.slice(1)];
  const size = dims.reduce((product, dim) => product * dim, 1);
  const pixels = Float32Array.from(images.data.slice(0, size) as ArrayLike<number>, Number);
  const digit = Array.from(labels.data.slice(0, batchSize) as ArrayLike<number>, Number);
  return {
    source: file(path),
    isForward,
    batch: {
      image: new Tensor('float32', pixels, dims),
      labels: new Tensor('int64', BigInt64Array.from(digit, BigInt), [batchSize]),
    },
  };
}

/** The graphs of a step and of an evaluation; the losses, weights and outputs after two steps are those of the CPU. With plain
 *  momentum: an adaptive optimizer makes whole steps of gradients that are nothing but rounding. */
export async function modelPieces(provider: Provider, name: string): Promise<readonly Piece[]> {
  const make = wholeModels().get(name);
  if (make === undefined) throw new Error(`There is no model ${name}`);
  const { source, isForward, batch } = make();
  const { runtime, pieces } = record(provider);
  const session = await trainingSessions({
    ...runtime,
    name: provider === 'wasm' ? 'onnxruntime-web/wasm' : 'onnxruntime-node',
    missing: () => undefined,
  }).create(source, {
    executionProviders: [provider],
    optimizer: sgd({ momentum: 0.9 }),
    learningRate: 0.01,
    ...(isForward ? { loss: 'cross-entropy' as const } : {}),
  });
  await session.step(batch);
  await session.step(batch);
  await session.runEvalStep(batch);
  await session.release();
  return pieces(name, 1e-3);
}
