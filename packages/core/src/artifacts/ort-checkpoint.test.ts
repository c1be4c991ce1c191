import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import { makeTensor } from '../onnx/tensor.js';
import { type Checkpoint, readOrtCheckpoint } from './ort-checkpoint.js';
import { writeOrtCheckpoint } from './write-ort-checkpoint.js';

const weight = makeTensor('float32', [2, 3], [1, 2, 3, 4, 5, 6]);
const moment = makeTensor('float32', [2, 3], [0, 0, 0, 0, 0, 1]);

const checkpoint: Checkpoint = {
  trainable: new Map([
    ['fc.weight', weight],
    ['fc.scale', makeTensor('float64', [], [0.5])],
  ]),
  frozen: new Map([
    ['steps', makeTensor('int64', [2], [-1, 2 ** 40])],
    ['names', makeTensor('string', [2], ['ä', ''])],
    ['half', makeTensor('float16', [3], [1, 2, 3])],
    ['none', makeTensor('float32', [0, 4], [])],
  ]),
  nominal: false,
  optimizer: {
    step: 7,
    initialLearningRate: 0.125,
    momentums: new Map([
      [
        'fc.weight',
        new Map([
          ['momentum0', moment],
          ['momentum1', weight],
        ]),
      ],
    ]),
  },
  properties: new Map<string, number | bigint | string>([
    ['epoch', 3n],
    ['best', 0.25],
    ['note', 'größer'],
  ]),
};

const refusal = (bytes: Uint8Array, externalData?: Uint8Array): GradwareError => {
  try {
    readOrtCheckpoint(bytes, { file: 'ckpt', externalData });
  } catch (error) {
    if (error instanceof GradwareError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

test('a checkpoint survives being written and read', () => {
  expect(readOrtCheckpoint(writeOrtCheckpoint(checkpoint))).toEqual(checkpoint);
});

test('a checkpoint without optimizer and properties has none', () => {
  const bare = { ...checkpoint, optimizer: undefined, properties: new Map() };
  expect(readOrtCheckpoint(writeOrtCheckpoint(bare))).toEqual(bare);
});

test('what is written lies aligned, so that it is read without a copy', () => {
  const bytes = writeOrtCheckpoint(checkpoint).slice();
  const { data } = readOrtCheckpoint(bytes).frozen.get('steps') ?? {};
  expect(ArrayBuffer.isView(data) && data.buffer === bytes.buffer).toBe(true);
});

test('a nominal checkpoint keeps names and types only', () => {
  const nominal = writeOrtCheckpoint({ ...checkpoint, nominal: true });
  const read = readOrtCheckpoint(nominal);
  expect(read.nominal).toBe(true);
  expect(read.trainable.get('fc.weight')).toEqual(makeTensor('float32', [0], []));
  expect(read.frozen.get('names')).toEqual(makeTensor('string', [0], []));
});

/** The place of the version in a file that we wrote: the only int32 field of the root table. */
function withVersion(version: number): Uint8Array {
  const bytes = writeOrtCheckpoint(checkpoint).slice();
  const view = new DataView(bytes.buffer);
  const root = view.getInt32(0, true);
  const vtable = root - view.getInt32(root, true);
  view.setInt32(root + view.getUint16(vtable + 4, true), version, true);
  return bytes;
}

test('version 1 is read, unknown versions are refused', () => {
  expect(readOrtCheckpoint(withVersion(1))).toEqual(checkpoint);
  for (const version of [0, 3, -1]) {
    const error = refusal(withVersion(version));
    expect(error.code).toBe('INVALID_CHECKPOINT');
    expect(error.message).toContain(`unknown version ${version}`);
  }
});

test('a tensor whose values do not fit its shape is refused by name', () => {
  const short = { ...weight, dims: [2, 4] };
  const error = refusal(writeOrtCheckpoint({ ...checkpoint, trainable: new Map([['w', short]]) }));
  expect(error.message).toContain('needs 32 bytes, not 24');
  expect(error.where).toBe('ckpt, tensor "w"');
  const inOptimizer = {
    ...checkpoint,
    optimizer: {
      step: 1,
      initialLearningRate: 0,
      momentums: new Map([['w', new Map([['momentum0', short]])]]),
    },
  };
  expect(refusal(writeOrtCheckpoint(inOptimizer)).where).toBe(
    'ckpt, optimizer state of "w", tensor "momentum0"',
  );
});

test('a parameter that is both trainable and frozen is refused', () => {
  const both = { ...checkpoint, frozen: checkpoint.trainable };
  expect(refusal(writeOrtCheckpoint(both)).message).toContain('"fc.weight" is both');
});

test('truncated and damaged files are refused or read, and nothing else happens', () => {
  const bytes = writeOrtCheckpoint(checkpoint);
  for (let length = 0; length < bytes.length; length++) {
    expect(refusal(bytes.subarray(0, length)).code).toBe('INVALID_CHECKPOINT');
  }
  let refused = 0;
  for (let at = 8; at < bytes.length; at++) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const damaged = bytes.slice();
      damaged[at] = value;
      try {
        readOrtCheckpoint(damaged);
      } catch (error) {
        if (!(error instanceof GradwareError)) throw error;
        refused++;
      }
    }
  }
  expect(refused).toBeGreaterThan(0);
});

test('an offset out of the file is named by its field and byte', () => {
  const bytes = writeOrtCheckpoint(checkpoint).slice();
  const view = new DataView(bytes.buffer);
  const root = view.getInt32(0, true);
  const vtable = root - view.getInt32(root, true);
  view.setUint32(root + view.getUint16(vtable + 6, true), 0x7ffffff0, true);
  const error = refusal(bytes);
  expect(error.message).toContain('Its field module_state points outside the file');
  expect(error.where).toMatch(/^ckpt, byte \d+ of \d+$/);
});
