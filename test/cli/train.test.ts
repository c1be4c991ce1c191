import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readDataset } from '@gradware/data/node';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, expect, test } from 'vitest';
import { digits, type Event, gradware, start, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

const trainData = join(digits, 'digits-train.npz');
const testData = join(digits, 'digits-test.npz');
const mlp = join(digits, 'artifacts/mlp');

/** Stateful in every way: momentum, a schedule, error feedback. */
const arguments_ = [
  ...['train', mlp, '--data', trainData, '--val', testData, '--seed', '3', '--json'],
  ...['--schedule', 'cosine:warmup=10', '--plugin', 'norm-clip:max-norm=1'],
  ...['--plugin', 'quantize:bits=8,error-feedback=true'],
];

const ofKind = (events: readonly Event[], kind: string) =>
  events.filter(({ event }) => event === kind);

test('training writes events, a checkpoint and a model that plain ONNX Runtime runs', async () => {
  const out = path('plain');
  const { code, stderr, events } = await gradware(
    ...[...arguments_, '--batch-size', '64', '--epochs', '12', '--out', out],
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(events[0]).toMatchObject({
    event: 'start',
    provider: 'cpu',
    plugins: ['norm-clip', 'quantize'],
    batchSize: 64,
    epochs: 12,
    step: 0,
    seed: 3,
  });
  const stepsPerEpoch = Number(events[0]?.stepsPerEpoch);
  expect(stepsPerEpoch).toBe(Math.ceil(Number(events[0]?.examples) / 64));
  const epochs = ofKind(events, 'epoch');
  expect(epochs.map(({ step }) => step)).toEqual(epochs.map((_, i) => (i + 1) * stepsPerEpoch));
  const metrics = ofKind(events, 'metrics');
  expect(metrics.map(({ step }) => step)).toEqual(metrics.map((_, i) => (i + 1) * 10));
  expect(metrics[0]?.metrics).toHaveProperty('norm-clip.norm');
  const end = events.at(-1) ?? {};
  const { accuracy } = Reflect.get(end, 'validation') as { accuracy: number };
  expect(end).toMatchObject({ event: 'end', status: 'completed', model: join(out, 'model.onnx') });
  expect(accuracy).toBeGreaterThan(0.85);
  expect(readdirSync(out).sort()).toEqual(['checkpoint.safetensors', 'model.onnx']);
  expect(await accuracyOf(join(out, 'model.onnx'))).toBeCloseTo(accuracy, 9);

  const again = await gradware(...['eval', mlp, '--checkpoint', out, '--data', testData, '--json']);
  expect(again.events[0]).toMatchObject({ event: 'evaluation', accuracy });
});

/** With plain onnxruntime-node. */
async function accuracyOf(model: string): Promise<number> {
  const session = await InferenceSession.create(model);
  const { columns, length } = await readDataset(testData);
  const [image, labels] = [...columns.values()];
  const input = session.inputNames[0] ?? '';
  const feeds = { [input]: new Tensor(image?.data as Float32Array, image?.shape ?? []) };
  const [output] = Object.values(await session.run(feeds));
  const scores = output?.data as Float32Array;
  let right = 0;
  for (let i = 0; i < length; i++) {
    const row = Array.from(scores.subarray(i * 10, i * 10 + 10));
    if (row.indexOf(Math.max(...row)) === Number(labels?.data[i])) right++;
  }
  return right / length;
}

test('a run that is interrupted inside an epoch goes on to the same bits', async () => {
  const run = [...arguments_, '--batch-size', '4', '--log-every', '1'];
  const whole = await gradware(...run, '--epochs', '6', '--out', path('whole'));
  expect(whole.code).toBe(0);

  const interrupted = start([...run, '--epochs', '6', '--out', path('parts')]);
  await interrupted.until('"epoch":2,"step":');
  interrupted.kill('SIGINT');
  const stopped = await interrupted.done;
  expect(stopped.code).toBe(130);
  expect(stopped.events.at(-1)).toMatchObject({ event: 'end', status: 'stopped' });
  const at = Number(stopped.events.at(-1)?.step);
  expect(existsSync(path('parts/model.onnx'))).toBe(false);

  const resumed = await gradware(
    ...[...run, '--epochs', '6', '--out', path('parts'), '--resume', path('parts')],
  );
  expect(resumed.code).toBe(0);
  expect(resumed.events[0]).toMatchObject({ event: 'start', resumed: true, step: at });
  const losses = (events: readonly Event[]) => ofKind(events, 'metrics').map(({ loss }) => loss);
  expect([...losses(stopped.events), ...losses(resumed.events)]).toEqual(losses(whole.events));
  for (const file of ['model.onnx', 'checkpoint.safetensors'])
    expect(readFileSync(path(`parts/${file}`)).equals(readFileSync(path(`whole/${file}`)))).toBe(
      true,
    );
});

test('a run that is killed goes on from its last checkpoint to the same bits', async () => {
  const run = [...arguments_, '--batch-size', '4', '--checkpoint-every', '30', '--epochs', '3'];
  const whole = await gradware(...run, '--out', path('alive'));
  const killed = start([...run, '--out', path('killed')]);
  await killed.until('"epoch":2,"step":');
  killed.kill('SIGKILL');
  await killed.done;
  const resumed = await gradware(...run, '--out', path('killed'), '--resume', path('killed'));
  expect(resumed.code).toBe(0);
  const [a, b] = ['alive', 'killed'].map((name) => readFileSync(path(`${name}/model.onnx`)));
  expect(a && b?.equals(a)).toBe(true);
  expect(whole.code).toBe(0);
});

test('a run that has ended only writes its model again, and may be prolonged', async () => {
  const run = [...arguments_, '--batch-size', '64', '--out', path('ended')];
  await gradware(...run, '--epochs', '1');
  const model = readFileSync(path('ended/model.onnx'));
  rmSync(path('ended/model.onnx'));
  const again = await gradware(...run, '--epochs', '1', '--resume', path('ended'));
  expect(again.code).toBe(0);
  expect(readFileSync(path('ended/model.onnx')).equals(model)).toBe(true);
  const longer = await gradware(...run, '--epochs', '2', '--resume', path('ended'));
  expect(ofKind(longer.events, 'epoch').map(({ epoch }) => epoch)).toEqual([2]);
  const shorter = await gradware(...run, '--epochs', '1', '--resume', path('ended'));
  expect(shorter.code).toBe(1);
  expect(shorter.events[0]).toMatchObject({ event: 'error', code: 'INVALID_OPTION' });
});

test('a forward model trains with a loss, an optimizer, frozen parameters and columns named', async () => {
  const out = path('forward');
  const { code, stdout, stderr } = await gradware(
    ...['train', join(digits, 'mlp.onnx'), '--data', trainData, '--val', '0.2'],
    ...['--input', 'image=image', '--label', 'labels', '--loss', 'cross-entropy'],
    ...['--optimizer', 'sgd:lr=0.05,momentum=0.9', '--freeze', 'fc1.*', '--epochs', '3'],
    ...['--threads', '1', '--out', out],
  );
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toContain('2 tensors train, 2 do not');
  expect(stdout).toMatch(/epoch 3\/3 {2}loss [\d.]+ {2}val loss [\d.]+ {2}val accuracy [\d.]+ %/);
  expect(stdout).toContain(join(out, 'model.onnx'));
  expect(stdout).not.toContain('\u001b');
});

test('one seed is one result; another seed is another', async () => {
  const run = async (seed: string, out: string, threads: string) => {
    const { code } = await gradware(
      ...['train', mlp, '--data', trainData, '--seed', seed, '--epochs', '2'],
      ...['--threads', threads, '--out', path(out)],
    );
    expect(code).toBe(0);
    return readFileSync(path(`${out}/model.onnx`));
  };
  const first = await run('7', 'seed-a', '1');
  expect((await run('7', 'seed-b', '1')).equals(first)).toBe(true);
  expect((await run('8', 'seed-c', '1')).equals(first)).toBe(false);
});

test('groups have an optimizer, a rate and plugins of their own, also after resuming', async () => {
  const flags = [
    ...['train', mlp, '--data', trainData, '--seed', '3', '--json', '--batch-size', '64'],
    ...['--group', 'head:match=fc2.*,lr=linear(0.2,0,90)', '--optimizer', 'head/sgd:momentum=0.9'],
    ...['--group', 'vectors:match=*,max-rank=1', '--optimizer', 'adamw:lr=0.003'],
    ...['--plugin', 'quantize:bits=8,error-feedback', '--plugin', 'head/norm-clip:max-norm=1'],
  ];
  const [whole, half] = [path('groups'), path('groups-half')];
  const { code, events } = await gradware(...flags, '--epochs', '4', '--out', whole);
  expect(code).toBe(0);
  expect(events[0]).toMatchObject({ plugins: ['quantize', 'head/norm-clip'] });
  expect(ofKind(events, 'metrics')[0]?.metrics).toHaveProperty('head/norm-clip.norm');
  const losses = ofKind(events, 'epoch').map(({ loss }) => Number(loss));
  expect(losses.at(-1)).toBeLessThan((losses[0] ?? 0) / 2);
  await gradware(...flags, '--epochs', '2', '--out', half);
  await gradware(...flags, '--epochs', '4', '--out', half, '--resume', half);
  const saved = (out: string) => readFileSync(join(out, 'model.onnx'));
  expect(saved(half).equals(saved(whole))).toBe(true);
});

test('a plugin works around another, found by their names or paths', async () => {
  const folder = fileURLToPath(new URL('../../packages/plugins/', import.meta.url));
  for (const place of ['', folder]) {
    const { events, stderr } = await gradware(
      ...['train', mlp, '--data', trainData, '--epochs', '1', '--json', '--out', path('wrapped')],
      ...['--plugin', `${place}error-feedback(${place}top-k:ratio=0.01,max-rank=2):min-rank=2`],
      ...['--plugin', 'norm-clip:max-norm=cosine(1,0.1,100)'],
    );
    expect(stderr).toBe('');
    expect(events[0]).toMatchObject({ event: 'start', plugins: ['error-feedback', 'norm-clip'] });
    const metrics = ofKind(events, 'metrics').at(-1)?.metrics;
    expect(metrics).toHaveProperty('error-feedback/top-k.bytes');
    expect(Reflect.get(metrics as object, 'norm-clip.clipped-norm')).toBeLessThan(0.9);
  }
});

test('labels may be names, which keep their numbers from run to evaluation', async () => {
  const words = 'zero one two three four five six seven eight nine'.split(' ');
  const table = await readDataset(trainData);
  const [pixels, labels] = [...table.columns.values()].map(({ data }) => data);
  const line = (row: number) => {
    const image = Array.from({ length: 64 }, (_, i) => Number(pixels?.[row * 64 + i]));
    return [`row ${row}`, ...image, words[Number(labels?.[row])]].join(',');
  };
  const header = ['id', ...Array.from({ length: 64 }, (_, i) => `p${i}`), 'digit'].join(',');
  const rows = Array.from({ length: 600 }, (_, row) => line(row));
  writeFileSync(path('words.csv'), [header, ...rows].join('\n'));
  const few = rows.filter((row) => /(seven|three)$/.test(row));
  writeFileSync(path('few.csv'), [header, ...few].join('\n'));
  const columns = ['--input', 'image=p0..p63', '--label', 'digit', '--json'];

  const out = path('words');
  const train = ['train', mlp, '--data', path('words.csv'), '--val', path('few.csv'), ...columns];
  const trained = await gradware(...train, '--epochs', '12', '--out', out);
  expect(trained.stderr).toBe('');
  const { accuracy } = Reflect.get(trained.events.at(-1) ?? {}, 'validation') as {
    accuracy: number;
  };
  expect(accuracy).toBeGreaterThan(0.9);

  const evaluate = ['eval', mlp, '--data', path('few.csv'), ...columns];
  const [found] = (await gradware(...evaluate, '--checkpoint', out)).events;
  expect(found).toMatchObject({ accuracy, examples: few.length });
  const refused = await gradware(...evaluate);
  expect(refused.code).toBe(1);
  expect(refused.events[0]).toMatchObject({
    message: expect.stringContaining('The column "digit" holds names, not numbers'),
  });
});
