import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import { onnx } from '../onnx/generated/messages.js';
import { varint } from '../onnx/packed.js';
import { makeTensor } from '../onnx/tensor.js';
import { encodeTensor } from '../onnx/tensor-proto.js';
import { readCheckpoint } from './checkpoint.js';
import { isPbseqName, readPbseqCheckpoint } from './pbseq-checkpoint.js';

type Message = onnx.TensorProto.$Properties;

function sequence(...messages: readonly Message[]): Uint8Array {
  const encoded = messages.map((message) => onnx.TensorProto.encode(message).finish());
  const parts = encoded.flatMap((bytes) => [...varint(bytes.byteLength), ...bytes]);
  return Uint8Array.from([...varint(encoded.length), ...parts]);
}

const floats = (name: string, ...values: readonly number[]): Message =>
  encodeTensor(makeTensor('float32', [values.length], values), name);

const packed = (values: Float32Array) => new Uint8Array(values.buffer);

const folder = {
  'paramtrain_tensors.pbseq': sequence(floats('w', 1, 2), floats('b', 3)),
  'paramfrozen_tensors.pbseq': sequence(floats('e', 4)),
  'optim_group0_momentum0_tensors.pbseq': sequence(floats('w', 5, 6), floats('b', 7)),
  'optim_group0_momentum1_tensors.pbseq': sequence(floats('w', 8, 9), floats('b', 10)),
  'optim_group0_properties.pbseq': sequence(
    // As ORT wrote scalars: without dims, in the field of their type.
    {
      name: 'builtin.initial_learning_rate',
      dataType: 1,
      floatData: [packed(Float32Array.of(0.5))],
    },
    { name: 'builtin.step', dataType: 7, int64Data: [Uint8Array.of(12)] },
  ),
  'custom_properties.pbseq': sequence(
    { name: 'epoch', dataType: 7, int64Data: [Uint8Array.of(3)] },
    { name: 'best', dataType: 1, floatData: [packed(Float32Array.of(0.25))] },
    { name: 'note', dataType: 8, stringData: [new TextEncoder().encode('x')] },
  ),
  'README.md': new Uint8Array(),
};

const read = (files: Readonly<Record<string, Uint8Array>>) =>
  readPbseqCheckpoint(new Map(Object.entries(files)), 'ckpt');

test('parameters, optimizer state and properties of a folder', () => {
  const { trainable, frozen, optimizer, properties, nominal } = read(folder);
  expect([...trainable.keys()]).toEqual(['w', 'b']);
  expect(frozen.get('e')?.data).toEqual(Float32Array.of(4));
  expect(nominal).toBe(false);
  expect(optimizer).toMatchObject({ step: 12, initialLearningRate: 0.5 });
  expect(optimizer?.momentums.get('w')?.get('momentum1')?.data).toEqual(Float32Array.of(8, 9));
  expect(optimizer?.momentums.get('b')?.get('momentum0')?.data).toEqual(Float32Array.of(7));
  expect([...properties]).toEqual([
    ['epoch', 3n],
    ['best', 0.25],
    ['note', 'x'],
  ]);
});

test('parameters alone, whatever stands before the name', () => {
  const checkpoint = read({ 'mine-paramtrain_tensors.pbseq': folder['paramtrain_tensors.pbseq'] });
  expect([...checkpoint.trainable.keys()]).toEqual(['w', 'b']);
  expect(checkpoint.optimizer).toBeUndefined();
  expect(Object.keys(folder).filter(isPbseqName)).toHaveLength(6);
});

test('one file is a checkpoint', () => {
  const found = readCheckpoint(folder['paramtrain_tensors.pbseq']);
  expect(found.format === 'ort' && [...found.checkpoint.trainable.keys()]).toEqual(['w', 'b']);
});

const train = folder['paramtrain_tensors.pbseq'];

test.each<[string, Readonly<Record<string, Uint8Array>>, RegExp]>([
  ['no parameters', { 'custom_properties.pbseq': sequence() }, /no parameters/],
  [
    'a name in both files',
    { 'paramtrain_tensors.pbseq': train, 'paramfrozen_tensors.pbseq': train },
    /"w" is both trainable and frozen/,
  ],
  [
    'a name twice',
    { 'paramtrain_tensors.pbseq': sequence(floats('w', 1), floats('w', 2)) },
    /Tensor 1 of the sequence is "w" again/,
  ],
  ['no name', { 'paramtrain_tensors.pbseq': sequence(floats('', 1)) }, /has no name/],
  ['an empty file', { 'paramtrain_tensors.pbseq': new Uint8Array() }, /damaged.*byte 0 of 0/],
  ['a cut', { 'paramtrain_tensors.pbseq': train.subarray(0, -1) }, /damaged/],
  [
    'a count too high',
    { 'paramtrain_tensors.pbseq': Uint8Array.from([0xff, 0xff, 0xff, 0x7f, ...train.subarray(1)]) },
    /damaged/,
  ],
  [
    'a count too low',
    { 'paramtrain_tensors.pbseq': Uint8Array.from([1, ...train.subarray(1)]) },
    /follow/,
  ],
  [
    'a length beyond the file',
    { 'paramtrain_tensors.pbseq': Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0x0f) },
    /damaged/,
  ],
  [
    'two groups',
    {
      ...folder,
      'optim_group1_momentum0_tensors.pbseq': sequence(floats('w', 5, 6)),
    },
    /2 optimizer groups/,
  ],
  [
    'a step below zero',
    {
      'paramtrain_tensors.pbseq': train,
      'optim_group0_properties.pbseq': sequence(
        encodeTensor(makeTensor('int64', [], [-1]), 'builtin.step'),
      ),
    },
    /-1 steps/,
  ],
  [
    'a property of several values',
    { 'paramtrain_tensors.pbseq': train, 'custom_properties.pbseq': sequence(floats('x', 1, 2)) },
    /"x" is no number/,
  ],
])('%s is refused', (_, files, problem) => {
  expect(() => read(files)).toThrow(GradwareError);
  expect(() => read(files)).toThrow(problem);
});
