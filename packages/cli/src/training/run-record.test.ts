import { expect, test } from 'vitest';
import { compareRecords, type RunRecord, readRecord, writeRecord } from './run-record.js';

const record: RunRecord = {
  position: { epoch: 2, batch: 7 },
  seed: 1,
  batchSize: 64,
  examples: 1437,
  settings: { '--optimizer': 'adamw:lr=1e-3' },
};

test('what is written is read', () => {
  expect(readRecord(writeRecord(record), 'file')).toEqual(record);
});

test.each([
  ['nothing', undefined],
  ['no JSON', '{'],
  ['null', 'null'],
  ['no position', JSON.stringify({ ...record, position: undefined })],
  ['a negative batch', JSON.stringify({ ...record, position: { epoch: 0, batch: -1 } })],
  ['a seed in words', JSON.stringify({ ...record, seed: 'one' })],
])('%s is no record', (_, text) => {
  const metadata: Record<string, string> = text === undefined ? {} : { 'gradware.run': text };
  expect(() => readRecord(metadata, 'file')).toThrow(/does not say where its run stood \(file\)/);
});

test.each([
  ['--seed', { seed: 2 }],
  ['--batch-size', { batchSize: 32 }],
  ['training examples', { examples: 1000 }],
])('another %s would bring other examples', (name, change) => {
  expect(() => compareRecords({ ...record, ...change }, record, 'file')).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) }),
  );
});

test('other settings are worth a warning', () => {
  expect(compareRecords(record, record, 'file')).toEqual([]);
  const now = { ...record, settings: { '--plugin': 'norm-clip' } };
  expect(compareRecords(now, record, 'file')).toEqual([
    'the run goes on with --plugin norm-clip; until here it was (none)',
    'the run goes on with --optimizer (none); until here it was adamw:lr=1e-3',
  ]);
});
