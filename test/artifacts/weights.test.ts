import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateArtifacts, Tensor, TrainingSession } from '@gradware/core/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeSafetensors } from '../../packages/core/src/artifacts/safetensors.js';
import { fromBfloat16, fromFloat16 } from '../../packages/core/src/onnx/float16.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { models } from '../support/forward-models.js';
import { pythonWith, runPython } from '../support/python.js';

const folder = mkdtempSync(join(tmpdir(), 'gradware-weights-'));
afterAll(() => rmSync(folder, { recursive: true }));

const golden = new Uint8Array(
  readFileSync(new URL('../golden/library.safetensors', import.meta.url)),
);

test("a file of Python's safetensors library is read, type by type", () => {
  const { tensors, metadata } = decodeSafetensors(golden);
  expect(metadata).toEqual({ format: 'np', note: 'made by the library' });
  const values = (name: string) => Array.from(tensors.get(name)?.data as Float32Array);
  expect(tensors.get('F64')).toMatchObject({ type: 'float64', dims: [1, 2] });
  expect(values('F64')).toEqual([1.5, -2.25]);
  expect(values('F32')).toEqual([1.5, -2.25, 0.1, 3e38].map(Math.fround));
  expect(values('F16').map(fromFloat16)).toEqual([1.5, -0.0999755859375, 65504]);
  expect(tensors.get('BF16')).toMatchObject({ type: 'bfloat16', dims: [1] });
  expect(values('I64')).toEqual([-(2n ** 63n), 2n ** 63n - 1n]);
  expect(values('I32')).toEqual([-(2 ** 31), 7]);
  expect(values('I16')).toEqual([-(2 ** 15), 7]);
  expect(values('I8')).toEqual([-128, 127, 3]);
  expect(values('U64')).toEqual([2n ** 64n - 1n]);
  expect(values('U32')).toEqual([2 ** 32 - 1]);
  expect(values('U8')).toEqual([255, 1]);
  expect(tensors.get('BOOL')).toMatchObject({ type: 'bool', dims: [3] });
  expect(values('BOOL')).toEqual([1, 0, 1]);
  expect(tensors.get('scalar')).toMatchObject({ dims: [], data: Float32Array.of(2.5) });
  expect(tensors.get('empty')).toMatchObject({ dims: [0, 3], data: new Float32Array() });
  expect(values('a name with ümlaut "quotes"')).toEqual([1]);
});

const feeds = {
  x: new Tensor(
    'float32',
    Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)),
    [4, 5],
  ),
  labels: new Tensor('int64', BigInt64Array.of(0n, 1n, 2n, 0n), [4]),
};

let artifacts: Awaited<ReturnType<typeof generateArtifacts>>;
let trained: TrainingSession;
beforeAll(async () => {
  artifacts = await generateArtifacts(encodeModel(models.mlp()), { frozenParams: ['b1'] });
  trained = await TrainingSession.create(artifacts);
  for (let i = 0; i < 3; i++) await trained.step(feeds);
});
afterAll(() => trained.release());

async function loss(session: TrainingSession): Promise<number> {
  const outputs = await session.runEvalStep(feeds);
  return Number(outputs[session.evalOutputNames[0] ?? '']?.data[0]);
}

test('weights go out by name and come back in', async () => {
  const bytes = await trained.exportWeights({ metadata: { epoch: '3' } });
  const { tensors, metadata } = decodeSafetensors(bytes);
  expect([...tensors.keys()].sort()).toEqual(['b1', 'b2', 'w1', 'w2']);
  expect(metadata).toEqual({ format: 'pt', epoch: '3' });
  const fresh = await TrainingSession.create(artifacts);
  expect(await loss(fresh)).not.toBe(await loss(trained));
  const path = join(folder, 'weights.safetensors');
  writeFileSync(path, bytes);
  expect(await fresh.importWeights(path)).toEqual({
    loaded: ['w1', 'b1', 'w2', 'b2'],
    missing: [],
    unexpected: [],
  });
  expect(await loss(fresh)).toBe(await loss(trained));
  expect(fresh.stepCount).toBe(0);
  await fresh.release();
});

test.each([
  ['float16', 1e-3],
  ['bfloat16', 1e-2],
  ['float64', 0],
] as const)('weights as %s', async (type, tolerance) => {
  const bytes = await trained.exportWeights({ type, trainableOnly: true });
  const { tensors } = decodeSafetensors(bytes);
  expect([...tensors.values()].every((tensor) => tensor.type === type)).toBe(true);
  expect([...tensors.keys()].sort()).toEqual(['b2', 'w1', 'w2']);
  const fresh = await TrainingSession.create(artifacts);
  await expect(fresh.importWeights(bytes)).rejects.toThrow(/b1 of the model are not there/);
  const { missing } = await fresh.importWeights(bytes, { strict: false });
  expect(missing).toEqual(['b1']);
  const difference = Math.abs((await loss(fresh)) - (await loss(trained)));
  expect(difference / (await loss(trained))).toBeLessThanOrEqual(tolerance);
  await fresh.release();
});

test('weights come from checkpoints of any kind, too', async () => {
  for (const format of ['gradware', 'ort'] as const) {
    const fresh = await TrainingSession.create(artifacts);
    await fresh.importWeights(await trained.checkpoint({ format }));
    expect(await loss(fresh)).toBe(await loss(trained));
    await fresh.release();
  }
});

test('a forward model takes weights, and a nominal checkpoint gets its values so', async () => {
  const bytes = await trained.exportWeights();
  const forward = await TrainingSession.create(encodeModel(models.mlp()));
  await forward.importWeights(bytes);
  expect(await loss(forward)).toBeCloseTo(await loss(trained), 5);
  await forward.release();
  const { nominalCheckpointState } = await generateArtifacts(encodeModel(models.mlp()), {
    frozenParams: ['b1'],
    nominalCheckpoint: true,
  });
  const nominal = await TrainingSession.create({
    ...artifacts,
    checkpointState: nominalCheckpointState as Uint8Array,
  });
  await expect(loss(nominal)).rejects.toThrow(/names only/);
  await nominal.importWeights(bytes);
  expect(await loss(nominal)).toBe(await loss(trained));
  await nominal.release();
});

test('weights that do not fit are refused by name, and change nothing', async () => {
  const before = await loss(trained);
  await expect(trained.importWeights(golden)).rejects.toMatchObject({ code: 'INVALID_CHECKPOINT' });
  await expect(trained.importWeights(golden, { strict: false })).rejects.toThrow(/do not fit/);
  const { w1 } = Object.fromEntries(decodeSafetensors(await trained.exportWeights()).tensors);
  expect(w1?.dims).not.toEqual([1]);
  await expect(trained.importWeights(new Uint8Array(20))).rejects.toThrow(/checkpoint/);
  await expect(
    trained.exportWeights({ type: 'int8' as unknown as 'float16' }),
  ).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  expect(await loss(trained)).toBe(before);
});

const python = pythonWith('safetensors.numpy', 'numpy');

const reading = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], 'np') as file:
    print(json.dumps({
        'metadata': file.metadata(),
        'tensors': {name: [str(file.get_slice(name).get_dtype()), list(file.get_slice(name).get_shape())] for name in file.keys()},
        'sum': {name: float(file.get_tensor(name).sum()) for name in file.keys() if file.get_slice(name).get_dtype() != 'BF16'},
    }))
`;

test.runIf(python !== undefined)("Python's safetensors library reads what we write", async () => {
  for (const type of ['float32', 'float16', 'bfloat16', 'float64'] as const) {
    const path = join(folder, `${type}.safetensors`);
    const bytes = await trained.exportWeights({ type });
    writeFileSync(path, bytes);
    const found = runPython(python ?? '', reading, path) as {
      metadata: unknown;
      tensors: Record<string, readonly [string, readonly number[]]>;
      sum: Record<string, number>;
    };
    expect(found.metadata).toEqual({ format: 'pt' });
    const { tensors } = decodeSafetensors(bytes);
    expect(Object.keys(found.tensors).sort()).toEqual([...tensors.keys()].sort());
    const names = { float32: 'F32', float16: 'F16', bfloat16: 'BF16', float64: 'F64' };
    for (const [name, { dims, data }] of tensors) {
      expect(found.tensors[name]).toEqual([names[type], dims]);
      if (type !== 'float32') continue;
      const sum = (data as Float32Array).reduce((a, b) => a + b, 0);
      expect(found.sum[name]).toBeCloseTo(sum, 4);
    }
  }
  writeFileSync(join(folder, 'run.safetensors'), await trained.checkpoint());
  expect(runPython(python ?? '', reading, join(folder, 'run.safetensors'))).toHaveProperty(
    'tensors',
  );
});

test('conversions round to the nearest, ties to even', async () => {
  const bytes = await trained.exportWeights();
  const [half, brain] = await Promise.all([
    trained.exportWeights({ type: 'float16' }),
    trained.exportWeights({ type: 'bfloat16' }),
  ]);
  const values = (file: Uint8Array) =>
    decodeSafetensors(file).tensors.get('w1')?.data as Float32Array;
  values(bytes).forEach((value, i) => {
    expect(Math.abs(fromFloat16(values(half)[i] ?? 0) - value)).toBeLessThanOrEqual(
      Math.abs(value) * 2 ** -11 + 2 ** -25,
    );
    expect(Math.abs(fromBfloat16(values(brain)[i] ?? 0) - value)).toBeLessThanOrEqual(
      Math.abs(value) * 2 ** -8,
    );
  });
});
