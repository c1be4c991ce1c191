import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeNpz } from '@gradware/data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { artifactPath, haveArtifacts } from '../support/artifacts.js';
import { digits, gradware, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const trainData = join(digits, 'digits-train.npz');
const mlp = join(digits, 'artifacts/mlp');
const forward = join(digits, 'mlp.onnx');
const convolutional = join(digits, 'cnn.onnx');

/** Replaces a text of the same length, everywhere in a file. */
function replaceIn(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'latin1');
  expect(from.length).toBe(to.length);
  expect(text).toContain(from);
  writeFileSync(file, text.replaceAll(from, to), 'latin1');
}

/** A copy of the artifacts of the MLP, to be spoilt. */
function spoilt(name: string, spoil: (folder: string) => void): string {
  cpSync(mlp, path(name), { recursive: true });
  spoil(path(name));
  return path(name);
}

function writeData(
  name: string,
  image: Float32Array,
  labels: readonly number[],
  width = 64,
): string {
  const rows = labels.length;
  const columns = {
    image: { type: 'float32' as const, shape: [rows, width], data: image },
    labels: { type: 'int64' as const, shape: [rows], data: BigInt64Array.from(labels, BigInt) },
  };
  writeFileSync(path(name), writeNpz(new Map(Object.entries(columns))));
  return path(name);
}

const noise = (count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(i * i));
const tenLabels = Array.from({ length: 40 }, (_, i) => i % 10);

/** Runs, and expects a refusal that leaves nothing behind. */
async function refusal(...args: readonly string[]) {
  const before = readdirSync(folder);
  const { code, stderr, events } = await gradware(...args, '--out', path('never'), '--json');
  expect(stderr).toBe('');
  expect(code).toBe(1);
  expect(events.some(({ event }) => event === 'end')).toBe(false);
  expect(readdirSync(folder)).toEqual(before);
  const error = events.at(-1) ?? {};
  expect(error).toMatchObject({ event: 'error' });
  return { code: Reflect.get(error, 'code'), message: String(Reflect.get(error, 'message')) };
}

const train = (model: string, ...args: readonly string[]) =>
  refusal('train', model, '--data', trainData, '--epochs', '1', ...args);

beforeAll(() => {
  writeFileSync(path('text.onnx'), 'This is no model.');
  writeFileSync(path('empty.onnx'), '');
  const whole = readFileSync(forward);
  writeFileSync(path('cut.onnx'), whole.subarray(0, whole.length / 2));
  mkdirSync(path('nothing'));
});

test.each(['text.onnx', 'empty.onnx', 'cut.onnx'])('%s is no model', async (name) => {
  const { code, message } = await train(path(name));
  expect(code).toBe('INVALID_MODEL');
  expect(message).toContain(name);
});

test('a model or a folder that is not there, or has no artifacts', async () => {
  expect((await train(path('absent.onnx'))).code).toBe('FILE');
  const { code, message } = await train(path('nothing'));
  expect(code).toBe('FILE');
  expect(message).toContain('training_model.onnx');
});

test('a truncated training model', async () => {
  const model = spoilt('cut-artifacts', (folder) => {
    const file = join(folder, 'training_model.onnx');
    writeFileSync(file, readFileSync(file).subarray(0, 2000));
  });
  const { code, message } = await train(model);
  expect(code).toBe('INVALID_MODEL');
  expect(message).toContain('training_model.onnx');
});

test('a checkpoint of an unknown version', async () => {
  const model = spoilt('version', (folder) => {
    const file = join(folder, 'checkpoint');
    const bytes = readFileSync(file);
    // The first table after the header of this file holds the version as an int32 of 2.
    const at = bytes.indexOf(Buffer.from([2, 0, 0, 0]), 8);
    bytes.writeInt32LE(99, at);
    writeFileSync(file, bytes);
  });
  const { code, message } = await train(model);
  expect(code).toBe('INVALID_CHECKPOINT');
  expect(message).toContain('99');
});

test('a checkpoint that is truncated, or no checkpoint', async () => {
  const cut = spoilt('cut-checkpoint', (folder) => {
    const file = join(folder, 'checkpoint');
    writeFileSync(file, readFileSync(file).subarray(0, 3000));
  });
  expect((await train(cut)).code).toBe('INVALID_CHECKPOINT');
  const text = spoilt('text-checkpoint', (folder) =>
    writeFileSync(join(folder, 'checkpoint'), 'weights'),
  );
  expect((await train(text)).code).toBe('INVALID_CHECKPOINT');
});

test('a checkpoint with a missing parameter', async () => {
  const model = spoilt('missing', (folder) =>
    replaceIn(join(folder, 'checkpoint'), 'fc1.weight', 'fc9.weight'),
  );
  const { code, message } = await train(model);
  expect(code).toBe('INVALID_CHECKPOINT');
  expect(message).toContain('fc1.weight');
});

test('a checkpoint with a misshapen parameter', async () => {
  const out = path('good');
  await gradware('train', mlp, '--data', trainData, '--epochs', '1', '--out', out);
  const file = join(out, 'checkpoint.safetensors');
  replaceIn(file, '"shape":[128,64]', '"shape":[64,128]');
  const { code, message } = await train(mlp, '--resume', out);
  expect(code).toBe('INVALID_CHECKPOINT');
  expect(message).toMatch(/128,64[\s\S]*64,128|64,128[\s\S]*128,64/);
  replaceIn(file, '"version":"1"', '"version":"7"');
  expect((await train(mlp, '--resume', out)).message).toContain('unknown version "7"');
});

/** The CNN with another op in place of its two Relus. */
function withOp(name: string, opType: string, domain: string): string {
  const model = decodeModel(readFileSync(convolutional));
  const { graph, opsets } = model;
  const nodes = graph.nodes.map((node) =>
    node.opType === 'Relu' ? { ...node, opType, domain, attributes: {} } : node,
  );
  const known = new Map([...opsets, [domain, 1] as const]);
  writeFileSync(path(name), encodeModel({ ...model, graph: { ...graph, nodes }, opsets: known }));
  return path(name);
}

test('an op that nobody knows', async () => {
  const model = withOp('unknown.onnx', 'Frobnicate', 'acme');
  const { code, message } = await train(model);
  expect(['NO_GRADIENT', 'NO_LOWERING']).toContain(code);
  expect(message).toContain('Frobnicate');
  const inspected = await gradware('inspect', model);
  expect(inspected.code).toBe(0);
  expect(inspected.stdout).toMatch(/acme\.Frobnicate +no gradient, no lowering: \S*relu/i);
  expect(inspected.stdout).toContain('no gradient is known for Frobnicate');
  const json = await gradware('inspect', model, '--json');
  expect(json.events[0]?.ops).toContainEqual(
    expect.objectContaining({
      op: 'Frobnicate',
      count: 2,
      gradient: 'missing',
      runs: false,
    }),
  );
});

test('artifacts with an op that nobody knows', async () => {
  const model = spoilt('unknown-op', (folder) =>
    replaceIn(join(folder, 'training_model.onnx'), 'ReluGrad', 'RelyGrad'),
  );
  const { code, message } = await train(model);
  expect(code).toBe('NO_LOWERING');
  expect(message).toContain('RelyGrad');
});

const customOps = 'ort-testdata-custom-ops';

test.skipIf(!haveArtifacts(customOps))("ORT's custom ops are refused by name", async () => {
  const { code, message } = await train(artifactPath(customOps));
  expect(code).toBe('NO_LOWERING');
  expect(message).toContain('CustomOpOne');
});

test('data that is not there, damaged, or of no known format', async () => {
  expect((await refusal('train', mlp, '--data', path('absent.npz'))).code).toBe('FILE');
  writeFileSync(path('cut.npz'), readFileSync(trainData).subarray(0, 5000));
  expect((await refusal('train', mlp, '--data', path('cut.npz'))).code).toBe('INVALID_DATA');
  writeFileSync(path('data.txt'), 'a b c');
  expect((await refusal('train', mlp, '--data', path('data.txt'))).code).toBe('UNSUPPORTED');
});

test('data whose shape does not fit', async () => {
  const data = writeData('narrow.npz', noise(40 * 63), tenLabels, 63);
  const { code, message } = await refusal('train', mlp, '--data', data);
  expect(code).toBe('INVALID_DATA');
  expect(message).toContain('model input "image"');
  expect(message).toContain('[40, 63]');
});

test('data whose type does not fit', async () => {
  const rows = tenLabels.map((label) => `${Array(64).fill(0.5).join(',')},${label + 0.5}`);
  const header = [...Array.from({ length: 64 }, (_, i) => `pixel${i}`), 'labels'].join(',');
  writeFileSync(path('halves.csv'), [header, ...rows].join('\n'));
  const { code, message } = await refusal('train', mlp, '--data', path('halves.csv'));
  expect(code).toBe('INVALID_DATA');
  expect(message).toContain('cannot become int64');
});

test.each([10, -3])('the label %i is out of range', async (label) => {
  const data = writeData(`label${label}.npz`, noise(40 * 64), tenLabels.with(17, label));
  const { code, message } = await refusal('train', mlp, '--data', data);
  expect(code).toBe('INVALID_DATA');
  expect(message).toContain(`label ${label}`);
  expect(message).toContain(`label${label}.npz, input "labels", row 17`);
});

test('a label out of range is refused before the first step, wherever it is', async () => {
  const rows = 400;
  const labels = Array.from({ length: rows }, (_, i) => i % 10).with(rows - 1, 11);
  const data = writeData('late.npz', noise(rows * 64), labels);
  const out = path('late');
  for (const more of [[], ['--val', '0.5'], ['--epochs', '1', '--batch-size', '7']]) {
    const outcome = await gradware('train', mlp, '--data', data, '--out', out, '--json', ...more);
    expect(outcome.code).toBe(1);
    expect(outcome.events.map(({ event }) => event)).toEqual(['error']);
    expect(outcome.events[0]?.message).toContain('label 11');
    expect(outcome.events[0]?.message).toContain('late.npz, input "labels", row 399');
  }
  const judged = await gradware('eval', mlp, '--data', data, '--json');
  expect(judged.events[0]?.message).toContain('late.npz, input "labels", row 399');
  const loss = ['--loss', 'cross-entropy:ignore-index=11', '--epochs', '1'];
  expect(await gradware('train', forward, '--data', data, '--out', out, ...loss)).toMatchObject({
    code: 0,
  });
});

test('a label out of range in the validation data', async () => {
  const data = writeData('bad-val.npz', noise(40 * 64), tenLabels.with(3, 10));
  const { code, message } = await train(mlp, '--val', data);
  expect(code).toBe('INVALID_DATA');
  expect(message).toContain('label 10');
  expect(message).toContain('bad-val.npz, input "labels", row 3');
});

test('columns and inputs that are not there', async () => {
  const column = await train(mlp, '--label', 'lable');
  expect(column.code).toBe('INVALID_OPTION');
  expect(column.message).toContain('Did you mean labels');
  const input = await train(mlp, '--input', 'imaeg=image');
  expect(input.message).toContain('Did you mean image');
});

test('a batch larger than the data', async () => {
  const { code, message } = await train(mlp, '--batch-size', '5000');
  expect(code).toBe('INVALID_OPTION');
  expect(message).toContain('A batch of 5000 is larger than the data');
});

test.each([
  ['norm-clip:max-norm=0', 'INVALID_OPTION', /max-norm of norm-clip must be a number > 0/],
  [
    'norm-clip:max-nrom=1',
    'INVALID_OPTION',
    /no option "max-nrom"[\s\S]*Did you mean max-norm or max-rank\?/,
  ],
  ['quantize:bits=99', 'INVALID_OPTION', /bits of quantize must be a whole number from 2 to 16/],
  ['quantize:bits', 'INVALID_OPTION', /bits of quantize is given no value/],
  ['value-clip', 'INVALID_OPTION', /value-clip needs a bound/],
  ['norm-clp', 'UNKNOWN_PLUGIN', /Did you mean norm-clip/],
  ['norm-clip:include=fc7.*', 'UNKNOWN_PARAMETER', /fc7\.\*/],
  ['norm-clip:max-norm=cosin(1,0,9)', 'INVALID_OPTION', /Did you mean cosine\?/],
  [
    'norm-clip:max-norm=cosine(1,-5,3)',
    'INVALID_OPTION',
    /max-norm of norm-clip at step 1 must be a number > 0, not -0\.5/,
  ],
])('--plugin %s', async (plugin, code, message) => {
  const found = await train(mlp, '--plugin', plugin);
  expect(found.code).toBe(code);
  expect(found.message).toMatch(message);
});

test.each([
  ['--optimizer', 'adamv', /Did you mean adam/],
  ['--optimizer', 'adamw:beta3=1', /Did you mean beta1/],
  ['--optimizer', 'head/sgd', /No group is named "head"/],
  ['--group', 'head:lr=1', /does not say which parameters/],
  ['--group', 'head:match=*,lr', /lr of head is given no value/],
  ['--schedule', 'cosin', /Did you mean cosine/],
  [
    '--schedule',
    'linear(1e-3,-1e-3,4)',
    /The learning rate at step 3 must be a number >= 0, not -0\.0005/,
  ],
  ['--provider', 'cpuu', /Did you mean cpu/],
  ['--loss', 'mse', /--loss is for forward models/],
  ['--freeze', 'fc1.*', /--freeze is for forward models/],
])('%s %s', async (option, value, message) => {
  const found = await train(mlp, option, value);
  expect(found.code).toBe('INVALID_OPTION');
  expect(found.message).toMatch(message);
});

test('a learning rate has one schedule', async () => {
  const rate = 'adamw:lr=warmup(linear(1e-3,0,900),100)';
  const found = await train(mlp, '--optimizer', rate, '--schedule', 'cosine');
  expect(found.code).toBe('INVALID_OPTION');
  expect(found.message).toContain(
    `The learning rate has two schedules (--optimizer ${rate} --schedule cosine)`,
  );
});

test.each([
  ['--loss', 'cross-entropi', 'INVALID_OPTION', /Did you mean cross-entropy/],
  ['--loss-input', 'logit', 'INVALID_OPTION', /logits/],
  ['--train', 'fc7.*', 'UNKNOWN_PARAMETER', /fc7\.\*/],
  ['--freeze', '*', 'INVALID_MODEL', /Nothing in this model trains/],
])('a forward model with %s %s', async (option, value, code, message) => {
  const found = await train(forward, option, value);
  expect(found.code).toBe(code);
  expect(found.message).toMatch(message);
});

test('an --out that cannot be a folder', async () => {
  writeFileSync(path('file'), '');
  const { code, stderr } = await gradware(
    ...['train', mlp, '--data', trainData, '--out', path('file/deeper')],
  );
  expect(code).toBe(1);
  expect(stderr).toContain('is a file, not a folder');
});

test.skipIf(!existsSync('/proc/self'))('an --out that the file system refuses', async () => {
  const { code, stderr } = await gradware(
    ...['train', mlp, '--data', trainData, '--epochs', '1', '--out', '/proc/gradware/run'],
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/cannot be (made|written to)/);
});

test('a run goes on only as it was', async () => {
  const out = path('run');
  const args = ['train', mlp, '--data', trainData, '--out', out, '--epochs'];
  await gradware(...args, '1', '--seed', '1');
  const { code, message } = await train(mlp, '--resume', out, '--seed', '2');
  expect(code).toBe('INVALID_OPTION');
  expect(message).toContain('--seed');
  expect((await train(mlp, '--resume', path('nothing'))).code).toBe('FILE');
  expect((await train(join(digits, 'artifacts/cnn'), '--resume', out)).code).toBe(
    'INVALID_CHECKPOINT',
  );
});

test('a loss that is not finite stops the run, says where, and keeps the last good checkpoint', async () => {
  const out = path('diverging');
  const args = ['train', forward, '--data', trainData, '--batch-size', '64', '--out', out];
  const sgd = (rate: string) => [...args, '--optimizer', `sgd:lr=${rate}`, '--epochs'];
  await gradware(...sgd('1e-3'), '1');
  const file = join(out, 'checkpoint.safetensors');
  const good = readFileSync(file);
  rmSync(join(out, 'model.onnx'));
  const { code, stderr } = await gradware(...sgd('1e30'), '3', '--resume', out);
  expect(code).toBe(1);
  expect(stderr).toMatch(/The loss is (NaN|-?Infinity) at step \d+/);
  expect(stderr).toContain(file);
  expect(readFileSync(file).equals(good)).toBe(true);
  expect(existsSync(join(out, 'model.onnx'))).toBe(false);
  expect(readdirSync(out)).toEqual(['checkpoint.safetensors']);
});

test('NaN in the data is found at the first step', async () => {
  const image = noise(40 * 64);
  image[5] = Number.NaN;
  const data = writeData('nan.npz', image, tenLabels);
  const { code, message } = await refusal('train', mlp, '--data', data, '--batch-size', '40');
  expect(code).toBe('NONFINITE_LOSS');
  expect(message).toMatch(/at step \d/);
  expect(message).toContain('No checkpoint was written before');
});

test.each([
  [['train', mlp], /required option '--data <files>'/],
  [['train', mlp, '--data', 'x', '--epochs', '0'], /--epochs <n>[\s\S]*at least 1/],
  [['train', mlp, '--data', 'x', '--input', 'image'], /Write it as name=value/],
  [['train', mlp, '--data', 'x', '--val', '1.5'], /A fraction lies between 0 and 1/],
  [
    ['train', mlp, '--data', 'x', '--plugin', '--epochs', '3'],
    /'--plugin <spec>' argument missing/,
  ],
  [['inspect', mlp, '--freeze', '--json'], /write --freeze=--json/],
  [['train', mlp, '--data', 'x', '--epoch', '1'], /Did you mean --epochs\?/],
  [['trian', mlp], /Did you mean train\?/],
  [['inspect'], /missing required argument 'model'/],
])('wrong use %#', async (args, message) => {
  const { code, stderr } = await gradware(...args);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
});

test('for people, an error is what, where and what to do; --verbose adds where it comes from', async () => {
  const args = ['train', mlp, '--data', trainData, '--plugin', 'norm-clip:max-nrom=1'];
  const { code, stdout, stderr } = await gradware(...args);
  expect(code).toBe(1);
  expect(stdout).toBe('');
  expect(stderr).toBe(
    'error: norm-clip has no option "max-nrom" (norm-clip:max-nrom=1)\n  → Did you mean max-norm or max-rank?\n',
  );
  expect((await gradware(...args, '--verbose')).stderr).toMatch(/\n {4}at /);
});
