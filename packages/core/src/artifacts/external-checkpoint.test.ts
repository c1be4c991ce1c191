import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Builder } from 'flatbuffers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tensorOf } from '../graph/constants.js';
import { generateArtifacts, TrainingSession } from '../node.js';
import type { TensorData } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { tensorBytes } from '../onnx/tensor.js';
import { readOrtCheckpoint } from './ort-checkpoint.js';

const root = mkdtempSync(join(tmpdir(), 'gradware-external-'));
afterAll(() => rmSync(root, { recursive: true }));

const wave = (...dims: readonly number[]) =>
  tensorOf(
    'float32',
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + 1)),
    dims,
  );

const product = encodeModel({
  graph: {
    name: 'product',
    nodes: [
      {
        ...{ name: 'product', opType: 'Gemm', domain: '', attributes: {} },
        ...{ inputs: ['x', 'w', 'b'], outputs: ['y'] },
      },
    ],
    inputs: [{ name: 'x', type: 'float32', shape: ['n', 5] }],
    outputs: [{ name: 'y', type: 'float32', shape: ['n', 3] }],
    initializers: new Map([
      ['w', wave(5, 3)],
      ['b', wave(3)],
    ]),
    valueInfo: new Map(),
  },
  opsets: new Map([['', 17]]),
  irVersion: 8,
  functions: [],
  metadata: new Map(),
  producer: 'gradware-test',
});

/** A checkpoint of version 2 as ORT writes it from 1800 MiB on: every tensor says where its values lie in `.data`. */
function externalCheckpoint(
  tensors: ReadonlyMap<string, TensorData>,
  offsetOf: (name: string) => number,
): Uint8Array {
  const builder = new Builder(1024);
  const offsets = Array.from(tensors, ([name, { dims }]) => {
    const title = builder.createString(name);
    builder.startVector(8, dims.length, 8);
    for (const dim of [...dims].reverse()) builder.addInt64(BigInt(dim));
    const shape = builder.endVector();
    builder.startObject(7);
    builder.addFieldOffset(0, title, 0);
    builder.addFieldOffset(2, shape, 0);
    builder.addFieldInt32(3, 1, 0);
    builder.addFieldInt64(6, BigInt(offsetOf(name)), -1n);
    return builder.endObject();
  });
  builder.startVector(4, offsets.length, 4);
  for (const offset of offsets.reverse()) builder.addOffset(offset);
  const trainable = builder.endVector();
  builder.startObject(4);
  builder.addFieldOffset(0, trainable, 0);
  builder.addFieldInt8(3, 1, 0);
  const module = builder.endObject();
  builder.startObject(4);
  builder.addFieldInt32(0, 2, 0);
  builder.addFieldOffset(1, module, 0);
  builder.finish(builder.endObject(), 'ODTC');
  return builder.asUint8Array().slice();
}

let artifacts: Awaited<ReturnType<typeof generateArtifacts>>;
let tensors: ReadonlyMap<string, TensorData>;
let data: Uint8Array;
const offsets = new Map<string, number>();
beforeAll(async () => {
  artifacts = await generateArtifacts(product);
  tensors = readOrtCheckpoint(artifacts.checkpointState).trainable;
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, tensor] of tensors) {
    offsets.set(name, at);
    parts.push(tensorBytes(tensor));
    at += tensorBytes(tensor).byteLength;
  }
  data = new Uint8Array(Buffer.concat(parts));
});

const sound = () => externalCheckpoint(tensors, (name) => offsets.get(name) ?? 0);

async function expectValues(session: TrainingSession): Promise<void> {
  for (const [name, tensor] of tensors)
    expect((await session.getParameter(name)).data).toEqual(tensor.data);
  await session.release();
}

test('a checkpoint with a .data file is read from its folder, or from both by name', async () => {
  const folder = join(root, 'sound');
  mkdirSync(folder);
  writeFileSync(join(folder, 'checkpoint'), sound());
  writeFileSync(join(folder, 'checkpoint.data'), data);
  for (const [name, bytes] of artifacts.files)
    if (name.endsWith('.onnx')) writeFileSync(join(folder, name), bytes);
  await expectValues(await TrainingSession.create(folder));
  const checkpointState = { checkpoint: sound(), 'checkpoint.data': data };
  await expectValues(await TrainingSession.create({ ...artifacts, checkpointState }));
  const session = await TrainingSession.create(artifacts);
  await session.loadCheckpoint(join(folder, 'checkpoint'));
  await expectValues(session);
});

const create = (checkpoint: Uint8Array, external: Uint8Array) =>
  TrainingSession.create({
    ...artifacts,
    checkpointState: { checkpoint, 'checkpoint.data': external },
  });

test('values that overlap, lie outside or are not there are refused', async () => {
  const overlapping = externalCheckpoint(tensors, (name) =>
    Math.max(0, (offsets.get(name) ?? 0) - 4),
  );
  await expect(create(overlapping, data)).rejects.toThrow(/overlaps/);
  await expect(
    create(
      externalCheckpoint(tensors, () => 0),
      data,
    ),
  ).rejects.toThrow(/overlaps/);
  await expect(create(sound(), data.subarray(0, -4))).rejects.toMatchObject({
    code: 'INVALID_CHECKPOINT',
  });
  const far = externalCheckpoint(tensors, () => Number.MAX_SAFE_INTEGER);
  await expect(create(far, data)).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
  await expect(TrainingSession.create({ ...artifacts, checkpointState: sound() })).rejects.toThrow(
    /lie in another file/,
  );
});

test('a .data file behind a link that leads out of the folder is not read', async () => {
  const folder = join(root, 'linked');
  mkdirSync(folder);
  writeFileSync(join(folder, 'checkpoint'), sound());
  writeFileSync(join(root, 'elsewhere.data'), data);
  symlinkSync(join(root, 'elsewhere.data'), join(folder, 'checkpoint.data'));
  const opened = TrainingSession.create({
    ...artifacts,
    checkpointState: join(folder, 'checkpoint'),
  });
  await expect(opened).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
});

test('files that cannot be one checkpoint are refused', async () => {
  const two = { a: artifacts.checkpointState, b: artifacts.checkpointState };
  await expect(
    TrainingSession.create({ ...artifacts, checkpointState: two }),
  ).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  await expect(TrainingSession.create({ ...artifacts, checkpointState: {} })).rejects.toMatchObject(
    {
      code: 'INVALID_OPTION',
    },
  );
});
