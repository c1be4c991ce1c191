import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { modelWriter } from '../support/forward-models.js';
import { digits, gradware, main, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
afterAll(() => rmSync(folder, { recursive: true }));
const cnn = join(digits, 'cnn.onnx');

test('artifacts are written, and train', async () => {
  const out = join(folder, 'artifacts');
  const made = await gradware(
    ...['generate', cnn, '--loss', 'cross-entropy:label-smoothing=0.1', '--freeze', 'conv1.*'],
    ...['--optimizer', 'adamw:form=torch,weight-decay=0.01', '--clip-grad-norm', '1', '--nominal'],
    ...['--output', 'logits', '--out', out],
  );
  expect(made.stderr).toBe('');
  expect(made.code).toBe(0);
  const files = readdirSync(out).sort();
  expect(files).toEqual([
    ...['checkpoint', 'eval_model.onnx', 'nominal_checkpoint', 'optimizer_model.onnx'],
    'training_model.onnx',
  ]);
  for (const file of files) expect(made.stdout).toContain(join(out, file));
  const trained = await gradware(
    ...['train', out, '--data', join(digits, 'digits-test.npz'), '--epochs', '1', '--json'],
    ...['--out', join(folder, 'run')],
  );
  expect(trained.stderr).toBe('');
  expect(trained.code).toBe(0);
});

test('what cannot be is refused, and nothing is written', async () => {
  const out = join(folder, 'refused');
  const refuse = async (...flags: string[]) => {
    const { code, stderr } = await gradware('generate', cnn, '--out', out, ...flags);
    expect(code).toBe(1);
    expect(existsSync(out)).toBe(false);
    return stderr;
  };
  expect(await refuse('--optimizer', 'adan')).toMatch(/adamw/);
  expect(await refuse('--optimizer', 'adamw:form=torch,correct-bias=false')).toMatch(/bias/);
  expect(await refuse('--output', 'logit')).toMatch(/Did you mean logits/);
  expect(await refuse('--dim', 'batches=4')).toMatch(/There are batch/);
  expect(await refuse('--train', 'conv9.*')).toMatch(/conv9/);
});

test('a prefix leads to no other folder', async () => {
  const out = join(folder, 'prefixed');
  const { code, stderr } = await gradware('generate', cnn, '--out', out, '--prefix', '../my_');
  expect(code).toBe(2);
  expect(stderr).toContain('give the folder with --out');
  expect(readdirSync(folder).filter((name) => name.includes('my_'))).toEqual([]);
});

test('artifacts are written all together or not at all', async () => {
  const out = join(folder, 'occupied');
  mkdirSync(join(out, 'optimizer_model.onnx'), { recursive: true });
  const { code, stderr } = await gradware('generate', cnn, '--out', out);
  expect(code).toBe(1);
  expect(stderr).toContain(`${join(out, 'optimizer_model.onnx')} is a folder`);
  expect(readdirSync(out)).toEqual(['optimizer_model.onnx']);
});

// A file size that the system allows stands for a full disk.
test.skipIf(process.platform !== 'linux')('a full disk leaves nothing behind', () => {
  const out = join(folder, 'full');
  const limited = spawnSync(
    'bash',
    ['-c', 'ulimit -f 60; trap "" XFSZ; exec "$@"', 'bash', process.execPath, main].concat(
      ...['generate', cnn, '--out', out],
    ),
    { encoding: 'utf8' },
  );
  expect(limited.stderr).toContain(`${join(out, 'checkpoint')} cannot be used: EFBIG`);
  expect(limited.stderr).not.toContain('.tmp');
  expect(limited.status).toBe(1);
  expect(existsSync(out)).toBe(false);
});

test.skipIf(!existsSync('/dev/full'))('an output that cannot be written is an error', () => {
  const told = spawnSync(
    'bash',
    ['-c', '"$@" > /dev/full', 'bash', process.execPath, main, 'inspect', cnn],
    {
      encoding: 'utf8',
    },
  );
  expect(told.stderr).toMatch(/^error: The output cannot be written: ENOSPC[^\n]*\n$/);
  expect(told.status).toBe(1);
});

test('a loss may be an ONNX file', async () => {
  const { add, model } = modelWriter();
  const logs = add('LogSoftmax', ['scores'], { axis: -1 });
  add('Neg', [add('ReduceMean', [add('Mul', [logs, 'chances'])], { keepdims: 0 })], {}, 'loss');
  const made = model([], [], 'loss');
  const inputs = ['scores', 'chances'].map((name) => ({
    name,
    type: 'float32' as const,
    shape: ['n', 'classes'],
  }));
  const file = join(folder, 'soft-labels.onnx');
  writeFileSync(file, encodeModel({ ...made, graph: { ...made.graph, inputs } }));
  const out = join(folder, 'soft');
  const { code, stderr } = await gradware('generate', cnn, '--loss', file, '--out', out);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const missing = await gradware('generate', cnn, '--loss', `${file}.onnx`, '--out', out);
  expect(missing.code).toBe(1);
  expect(missing.stderr).toMatch(/cannot be read/);
});
