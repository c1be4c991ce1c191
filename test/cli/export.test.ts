import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readOrtCheckpoint } from '../../packages/core/src/artifacts/ort-checkpoint.js';
import { decodeSafetensors } from '../../packages/core/src/artifacts/safetensors.js';
import { decodeModel, encodeModel } from '../../packages/core/src/onnx/model.js';
import { artifactPath, haveArtifacts } from '../support/artifacts.js';
import { modelWriter } from '../support/forward-models.js';
import { digits, gradware, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));
const mlp = join(digits, 'mlp.onnx');
const data = join(digits, 'digits-test.npz');
const run = join(folder, 'run');

beforeAll(async () => {
  const trained = await gradware(
    ...['train', mlp, '--data', data, '--loss', 'cross-entropy', '--epochs', '1', '--out', run],
  );
  expect(trained.stderr).toBe('');
});

const read = (name: string) => new Uint8Array(readFileSync(join(folder, name)));
const evaluate = async (...flags: readonly string[]) => {
  const { events, stderr } = await gradware('eval', ...flags, '--data', data, '--json');
  expect(stderr).toBe('');
  return events[0]?.loss as number;
};

test('weights go out as safetensors, and in for evaluation and training', async () => {
  const out = join(folder, 'weights.safetensors');
  const made = await gradware('export', mlp, '--checkpoint', run, '--out', out);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(made.stdout).toContain(out);
  expect([...decodeSafetensors(read('weights.safetensors')).tensors.keys()]).toContain(
    'fc1.weight',
  );
  const loss = ['--loss', 'cross-entropy'];
  const wanted = await evaluate(mlp, ...loss, '--checkpoint', run);
  expect(await evaluate(mlp, ...loss, '--weights', out)).toBe(wanted);
  expect(await evaluate(mlp, ...loss, '--weights', run)).toBe(wanted);
  expect(await evaluate(mlp, ...loss)).not.toBe(wanted);
  const model = join(folder, 'trained.onnx');
  await gradware('export', mlp, '--weights', out, '--out', model);
  expect(await evaluate(model, ...loss)).toBeCloseTo(wanted, 6);
  expect(decodeModel(read('trained.onnx')).graph.inputs).toHaveLength(1);
  const trained = await gradware(
    ...['train', mlp, '--data', data, ...loss, '--weights', out, '--epochs', '1', '--json'],
    ...['--out', join(folder, 'further')],
  );
  expect(trained.stderr).toBe('');
});

test('weights in another type, and a checkpoint for ONNX Runtime', async () => {
  const half = join(folder, 'half.safetensors');
  const flags = ['--checkpoint', run, '--type', 'float16', '--trainable-only'];
  expect((await gradware('export', mlp, ...flags, '--out', half)).code).toBe(0);
  const { tensors } = decodeSafetensors(read('half.safetensors'));
  expect([...tensors.values()].every(({ type }) => type === 'float16')).toBe(true);
  const checkpoint = join(folder, 'checkpoint');
  expect((await gradware('export', mlp, '--checkpoint', run, '--out', checkpoint)).code).toBe(0);
  expect(readOrtCheckpoint(read('checkpoint')).optimizer?.step).toBeGreaterThan(0);
  const bare = ['--no-optimizer-state', '--json', '--out', join(folder, 'bare.ckpt')];
  const made = await gradware('export', mlp, '--checkpoint', run, ...bare);
  expect(made.events).toMatchObject([{ event: 'export', format: 'checkpoint' }]);
  expect(readOrtCheckpoint(read('bare.ckpt')).optimizer).toBeUndefined();
});

test.runIf(haveArtifacts('ort-testdata-ort-format'))('old artifacts become new ones', async () => {
  const out = join(folder, 'converted');
  const set = artifactPath('ort-testdata-ort-format');
  const made = await gradware('export', set, '--format', 'artifacts', '--out', out);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(out).sort()).toEqual([
    ...['checkpoint', 'eval_model.onnx', 'optimizer_model.onnx', 'training_model.onnx'],
  ]);
});

test('artifacts without an evaluation model train, and end with a checkpoint', async () => {
  const artifacts = join(folder, 'no-eval');
  await gradware('generate', mlp, '--loss', 'cross-entropy', '--out', artifacts);
  rmSync(join(artifacts, 'eval_model.onnx'));
  const out = join(folder, 'no-eval-run');
  const flags = ['--data', data, '--epochs', '1', '--out', out, '--json'];
  const { code, stderr } = await gradware('train', artifacts, ...flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(readdirSync(out)).toEqual(['checkpoint.safetensors']);
});

test('a run of artifacts is judged by their loss', async () => {
  const table = join(folder, 'heights.csv');
  const lines = Array.from({ length: 40 }, (_, i) => `${i / 40},${(i * 7) % 40},${i % 3}`);
  writeFileSync(table, ['x0,x1,height', ...lines].join('\n'));
  const { weight, add, model } = modelWriter();
  const hidden = add('Relu', [add('MatMul', ['x', weight('w', [2, 8])])]);
  add('MatMul', [hidden, weight('v', [8, 1])], {}, 'y');
  const forward = join(folder, 'heights.onnx');
  writeFileSync(forward, encodeModel(model(['n', 2], ['n', 1])));
  const artifacts = join(folder, 'heights');
  await gradware('generate', forward, '--loss', 'mse', '--out', artifacts);
  const out = join(folder, 'heights-run');
  const reading = ['--data', table, '--input', 'x=x0,x1', '--label', 'height'];
  const trained = await gradware(
    ...['train', artifacts, ...reading, '--val', table, '--epochs', '2', '--out', out, '--json'],
  );
  expect(trained.stderr).toBe('');
  const { loss } = Reflect.get(trained.events.at(-1) ?? {}, 'validation') as { loss: number };
  const judged = await gradware('eval', out, '--data', table, '--json');
  expect(judged).toMatchObject({ code: 0, stderr: '' });
  expect(judged.events).toEqual([
    { event: 'evaluation', model: out, loss: expect.closeTo(loss, 6), examples: 40 },
  ]);
  const { stdout } = await gradware('eval', out, '--data', table);
  expect(stdout).toMatch(/loss/);
  expect(stdout).not.toMatch(/accuracy/);
  const told = await gradware('eval', out, '--data', table, '--loss', 'l1', '--json');
  expect(told.stderr).toBe('');
  expect(told.events[0]?.loss).not.toBeCloseTo(loss, 3);
  renameSync(artifacts, join(folder, 'moved'));
  const lost = await gradware('eval', out, '--data', table);
  expect(lost.stderr).toMatch(/artifacts that are no longer there.*heights[\s\S]*--loss/s);
  const again = await gradware(
    ...['eval', join(folder, 'moved'), '--checkpoint', out, '--data', table, '--json'],
  );
  expect(again.events[0]?.loss).toBeCloseTo(loss, 6);
});

test.each([
  ['a name that tells no format', ['--out', 'out.bin'], /--format/],
  ['a type for a model', ['--out', 'o.onnx', '--type', 'float16'], /--type is not for model/],
  ['an unknown output', ['--out', 'o.onnx', '--output', 'logit'], /Did you mean logits/],
  ['a checkpoint that is not there', ['--out', 'o.onnx', '--checkpoint', 'no'], /no checkpoint/],
  ['weights of another model', ['--out', 'o.onnx', '--weights', mlp], /checkpoint/],
])('%s is refused, and nothing is written', async (_, flags, problem) => {
  const out = join(folder, 'refused');
  const args = flags.map((flag) => (/^(o|out)\.\w+$/.test(flag) ? join(out, flag) : flag));
  const { code, stderr } = await gradware('export', mlp, ...args);
  expect(code).toBe(1);
  expect(stderr).toMatch(problem);
  expect(existsSync(out)).toBe(false);
});

test('a classifier whose first output is no score is exported, with all of its outputs', async () => {
  const { graph, ...rest } = decodeModel(new Uint8Array(readFileSync(mlp)));
  const beside = (opType: string, inputs: readonly string[], output: string, domain = '') => ({
    ...{ name: output, opType, domain, inputs, outputs: [output], attributes: {} },
  });
  const nodes = [
    ...graph.nodes,
    beside('ArgMax', ['logits'], 'best'),
    beside('ArrayFeatureExtractor', ['classes', 'best'], 'label', 'ai.onnx.ml'),
  ];
  const initializers = new Map([
    ...graph.initializers,
    ['classes', { type: 'int64' as const, dims: [10], data: new BigInt64Array(10).fill(7n) }],
  ]);
  const outputs = [{ name: 'label' }, ...graph.outputs];
  const opsets = new Map([...rest.opsets, ['ai.onnx.ml', 1]]);
  const model = join(folder, 'classifier.onnx');
  const whole = { ...rest, opsets, graph: { ...graph, nodes, initializers, outputs } };
  writeFileSync(model, encodeModel(whole));

  const weights = join(folder, 'classifier.safetensors');
  const made = await gradware('export', model, '--checkpoint', run, '--out', weights);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const out = join(folder, 'classifier-trained.onnx');
  const again = await gradware('export', model, '--weights', weights, '--out', out);
  expect(again).toMatchObject({ code: 0, stderr: '' });
  const names = decodeModel(read('classifier-trained.onnx')).graph.outputs.map(({ name }) => name);
  expect(names).toEqual(['label', 'logits']);
});
