import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDataset, writeNpz } from '@gradware/data/node';
import { afterAll, expect, test } from 'vitest';
import { artifactPath, haveArtifacts } from '../support/artifacts.js';
import { digits, gradware, start, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const testData = join(digits, 'digits-test.npz');
const mlp = join(digits, 'artifacts/mlp');

test('inspect tells inputs, parameters and ops of artifacts and of forward models', async () => {
  const artifacts = await gradware('inspect', mlp, '--json');
  expect(artifacts.code).toBe(0);
  expect(artifacts.events[0]).toMatchObject({
    kind: 'artifacts',
    inputs: [
      { name: 'image', type: 'float32', shape: ['batch', 1, 8, 8] },
      { name: 'labels', type: 'int64', shape: ['batch'] },
    ],
  });
  expect(artifacts.events[0]?.ops).toContainEqual(
    expect.objectContaining({ op: 'ReluGrad', domain: 'com.microsoft', runs: true }),
  );
  const forward = await gradware(
    'inspect',
    join(digits, 'mlp.onnx'),
    '--freeze',
    'fc1.*',
    '--json',
  );
  expect(forward.events[0]?.parameters).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ name: 'fc1.weight', trains: false, why: 'frozen by frozenParams' }),
      expect.objectContaining({ name: 'fc2.weight', trains: true }),
    ]),
  );
});

test('inspect for people', async () => {
  const { stdout, stderr, code } = await gradware('inspect', join(digits, 'mlp.onnx'));
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/inputs\n {2}image +float32 \[batch, 1, 8, 8\]/);
  expect(stdout).toMatch(
    /✓ {2}fc1\.weight +float32 \[128, 64\] +a weight that the loss depends on/,
  );
  expect(stdout).toMatch(/\n +2 {2}Gemm\n/);
  expect(stdout).toContain('It can be trained.');
});

/** The plugin packages of this repository: all come with the command line. */
function published(): readonly string[] {
  const folder = new URL('../../packages/plugins/', import.meta.url);
  return readdirSync(folder).filter((name) => {
    const manifest = readFileSync(new URL(`${name}/package.json`, folder), 'utf8');
    return JSON.parse(manifest).private !== true;
  });
}

test('plugins lists those that come along, and those of the folder it is called in', async () => {
  const own = path('project/node_modules/gradware-plugin-mine');
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'package.json'), '{"name":"gradware-plugin-mine","main":"mine.cjs"}');
  writeFileSync(
    join(own, 'mine.cjs'),
    `exports.mine = Object.assign(() => ({ name: 'mine' }), { definition: { name: 'mine', description: 'Does nothing.', options: {} } });`,
  );
  const broken = path('project/node_modules/gradware-plugin-broken');
  mkdirSync(broken, { recursive: true });
  writeFileSync(
    join(broken, 'package.json'),
    '{"name":"gradware-plugin-broken","main":"gone.cjs"}',
  );
  const { code, events } = await start(['plugins', '--json'], { cwd: path('project') }).done;
  expect(code).toBe(0);
  const names = events.map(({ name }) => name);
  expect(names).toEqual([...published(), 'broken', 'mine'].sort());
  const named = (wanted: string) => events.find(({ name }) => name === wanted);
  expect(named('broken')?.problem).toMatch(/broken/);
  expect(named('mine')).toMatchObject({
    package: 'gradware-plugin-mine',
    description: 'Does nothing.',
  });
  expect(named('norm-clip')?.options).toContainEqual(
    expect.objectContaining({ name: 'max-norm', default: 1, schedule: true }),
  );
  const { stdout } = await gradware('plugins', 'norm-clip');
  expect(stdout).toMatch(/max-norm +a number > 0, or a schedule +default 1/);
  expect(stdout).not.toContain('value-clip');
});

test('a table of numbers needs no more than its label named', async () => {
  const { columns, length } = await readDataset(testData);
  const [image, labels] = [columns.get('image'), columns.get('labels')];
  const pixels = Array.from({ length: 64 }, (_, i) => `pixel${i}`);
  const rows = Array.from({ length }, (_, row) => {
    const values = image?.data.subarray(row * 64, row * 64 + 64).join(',');
    return `${values},${labels?.data[row]}`;
  });
  writeFileSync(path('digits.csv'), [[...pixels, 'digit'].join(','), ...rows].join('\n'));
  const csv = ['--data', path('digits.csv'), '--input', 'image=pixel*', '--label', 'digit'];
  const [fromCsv, fromNpz] = await Promise.all([
    gradware('eval', mlp, ...csv, '--json'),
    gradware('eval', mlp, '--data', testData, '--json'),
  ]);
  expect(fromCsv.code).toBe(0);
  expect(fromCsv.events).toEqual(fromNpz.events);
});

test('eval for people says loss and accuracy', async () => {
  const { code, stdout } = await gradware('eval', mlp, '--data', testData);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^loss [\d.]+\naccuracy [\d.]+ %\n\d+ examples\n$/);
});

const fixed = 'yalue-go';

test.skipIf(!haveArtifacts(fixed))(
  'a model that is made for one batch size decides it',
  async () => {
    const input = Float32Array.from({ length: 25 * 4 }, (_, i) => Math.sin(i));
    const target = Float32Array.from({ length: 25 * 2 }, (_, i) => Math.cos(i));
    const columns = {
      input: { type: 'float32' as const, shape: [25, 1, 4], data: input },
      target: { type: 'float32' as const, shape: [25, 1, 2], data: target },
    };
    writeFileSync(path('go.npz'), writeNpz(new Map(Object.entries(columns))));
    const args = ['train', artifactPath(fixed), '--data', path('go.npz'), '--val', path('go.npz')];
    const run = [...args, '--epochs', '2', '--out', path('go'), '--json'];
    const { code, events } = await gradware(...run);
    expect(code).toBe(0);
    expect(events[0]).toMatchObject({ batchSize: 10, stepsPerEpoch: 2 });
    expect(events[0]?.validation).toMatchObject({ examples: 20 });
    const refused = await gradware(...run, '--batch-size', '5');
    expect(refused.events[0]?.message).toContain('The model is made for batches of 10');
  },
);

test('help names what can be chosen', async () => {
  const { code, stdout } = await gradware('train', '--help');
  expect(code).toBe(0);
  for (const word of ['adamw', 'sgd', 'cosine', 'cross-entropy', 'mse', 'webgpu', '--plugin'])
    expect(stdout).toContain(word);
  expect(stdout).not.toMatch(/default: *(\[\]|\{\}|false)/);
  const version = await gradware('--version');
  const { version: wanted } = JSON.parse(
    readFileSync(new URL('../../packages/cli/package.json', import.meta.url), 'utf8'),
  );
  expect(version.stdout.trim()).toBe(wanted);
});
