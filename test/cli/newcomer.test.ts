import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readDataset, writeNpz } from '@gradware/data/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { digits, gradware, temporaryFolder } from './gradware.js';

const folder = temporaryFolder();
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const model = join(digits, 'mlp.onnx');
const names = ['null', 'eins', 'zwei', 'drei', 'vier', 'fünf', 'sechs', 'sieben', 'acht', 'neun'];

/** The held-out digits as a table of bytes 0 to 255, as a spreadsheet of another country writes it. */
async function writeTable(): Promise<void> {
  const { columns, length } = await readDataset(join(digits, 'digits-test.npz'));
  const [image, labels] = [columns.get('image'), columns.get('labels')];
  const largest = Math.max(...Array.from(image?.data as Float32Array));
  const lines = Array.from({ length }, (_, row) => {
    const pixels = Array.from(image?.data.subarray(row * 64, row * 64 + 64) as Float32Array);
    const bytes = pixels.map((pixel) => Math.round((pixel / largest) * 255));
    return [...bytes, names[Number(labels?.data[row])]].join(';');
  });
  const header = [...Array.from({ length: 64 }, (_, i) => `p${i}`), 'Ziffer'].join(';');
  writeFileSync(path('digits.csv'), `\ufeff${[header, ...lines].join('\r\n')}\r\n`, 'utf16le');
}

beforeAll(writeTable);

test('what a run was told is not to be told again to judge it', async () => {
  const run = path('run');
  const train = [
    ...['train', model, '--data', path('digits.csv'), '--val', '10%', '--label', 'Ziffer'],
    ...['--scale', 'image=1/255', '--epochs', '3', '--optimizer', 'adamw:lr=0.01', '--out', run],
  ];
  const trained = await gradware(...train, '--json');
  expect(trained.events.at(-1)).toMatchObject({ event: 'end', status: 'completed' });
  const told = await gradware(
    ...['eval', model, '--checkpoint', run, '--data', path('digits.csv'), '--label', 'Ziffer'],
    ...['--scale', 'image=1/255', '--json'],
  );
  const [{ loss, accuracy } = {}] = told.events as readonly {
    loss?: unknown;
    accuracy?: unknown;
  }[];
  expect(Number(accuracy)).toBeGreaterThan(0.9);
  for (const args of [
    ['eval', run],
    ['eval', model, '--checkpoint', join(run, 'checkpoint.safetensors')],
  ]) {
    const { events } = await gradware(...args, '--data', path('digits.csv'), '--json');
    expect(events[0]).toMatchObject({ loss, accuracy, examples: 359 });
  }
  const { events } = await gradware(
    ...['eval', run, '--data', path('digits.csv'), '--scale', 'image=1', '--json'],
  );
  expect(events[0]?.loss).not.toBe(loss);

  const weights = path('w.safetensors');
  expect((await gradware('export', run, '--out', weights)).code).toBe(0);
  expect((await gradware('inspect', run, '--json')).events[0]).toMatchObject({ kind: 'forward' });

  const again = await gradware(...train, '--resume', run);
  expect(again.code).toBe(0);
  expect(again.stderr).toMatch(/all 3 epochs are done/);
}, 240_000);

test('a folder of a run that wrote no model yet, and a checkpoint in place of a model', async () => {
  const run = path('stopped');
  mkdirSync(run);
  cpSync(path('run/checkpoint.safetensors'), join(run, 'checkpoint.safetensors'));
  const data = ['--data', path('digits.csv')];
  expect((await gradware('eval', run, ...data)).stderr).toMatch(
    /not written its model yet.*--checkpoint/s,
  );
  const file = await gradware('eval', join(run, 'checkpoint.safetensors'), ...data);
  expect([file.code, file.stderr]).toEqual([
    1,
    expect.stringMatching(/not a model.*--checkpoint/s),
  ]);
});

test('arrays of several lengths, and names for labels, in one archive', async () => {
  const { columns } = await readDataset(join(digits, 'digits-test.npz'));
  const [image, labels] = [columns.get('image'), columns.get('labels')];
  if (image === undefined || labels === undefined) throw new Error('The digits have changed');
  const few = { ...image, shape: [2, 64], data: image.data.slice(0, 128) };
  const archive = writeNpz(
    new Map([
      ['x_train', image],
      ['y_train', labels],
      ['x_test', few],
    ]),
  );
  writeFileSync(path('all.npz'), archive);
  const { code, stderr, events } = await gradware(
    ...['eval', model, '--data', path('all.npz'), '--input', 'image=x_train'],
    ...['--label', 'y_train', '--json'],
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(events[0]).toMatchObject({ examples: 359 });
  const open = await gradware('eval', model, '--data', path('all.npz'));
  expect(open.stderr).toMatch(/same number of examples[\s\S]*--input and --label/);
});

test.each([
  [['--freeze', 'nothing*'], /--freeze: "nothing\*" matches no parameter/],
  [['--loss-input', 'score'], /Its outputs are logits/],
  [['--delimiter', ';;'], /one sign/],
  [['--val', '120%'], /A fraction lies between 0 and 1/],
  [['--header', '--delimiter', ','], /separated by ";".*\(--delimiter\)/s],
])('%j is answered in the words of the command line', async (flags, message) => {
  const { code, stderr } = await gradware(
    ...['train', model, '--data', path('digits.csv'), '--label', 'Ziffer'],
    ...['--out', path('none'), ...flags],
  );
  expect(code).not.toBe(0);
  expect(stderr).toMatch(message);
});

test('more names than classes: which names there are', async () => {
  const lines = readFileSync(path('digits.csv'), 'utf16le').trimEnd().split('\r\n');
  const odd = lines.map((line, i) => (i === 200 ? line.replace(/;[^;]*$/, ';zwölf') : line));
  writeFileSync(path('more.csv'), odd.join('\n'));
  const { code, stderr } = await gradware(
    ...['train', model, '--data', path('more.csv'), '--label', 'Ziffer', '--out', path('none')],
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/label 10 is out of range.*more\.csv, input "labels", row 199/);
  expect(stderr).toMatch(/"Ziffer" holds 11 names.*zwölf.*an output for each/);
});

test('yes or no: accuracy is that of the answers', async () => {
  const { columns } = await readDataset(join(digits, 'digits-test.npz'));
  const [image, labels] = [columns.get('image'), columns.get('labels')];
  if (image === undefined || labels === undefined) throw new Error('The digits have changed');
  // For each digit: is it this one?
  const answers = new Uint8Array(359 * 10);
  labels.data.forEach((label, row) => {
    answers[row * 10 + Number(label)] = 1;
  });
  const target = { name: 'target', type: 'uint8', shape: [359, 10], data: answers } as const;
  writeFileSync(
    path('answers.npz'),
    writeNpz(
      new Map([
        ['image', image],
        ['target', target],
      ]),
    ),
  );
  const { events } = await gradware(
    ...['train', model, '--data', path('answers.npz'), '--val', path('answers.npz')],
    ...['--loss', 'bce-with-logits', '--epochs', '2', '--optimizer', 'adamw:lr=0.01'],
    ...['--out', path('answers'), '--json'],
  );
  const last = events.at(-1)?.validation as { accuracy?: number } | undefined;
  expect(last?.accuracy).toBeGreaterThan(0.9);
  expect(readFileSync(path('answers/model.onnx')).length).toBeGreaterThan(0);
});
