import { expect, test } from 'vitest';
import { makeTensor } from '../onnx/tensor.js';
import { readCheckpoint } from './checkpoint.js';
import { encodeSafetensors } from './safetensors.js';
import {
  encodeTrainingState,
  stateName,
  type TrainingState,
  tensorsOfKind,
} from './training-state.js';
import { writeOrtCheckpoint } from './write-ort-checkpoint.js';

const tensor = makeTensor('float32', [2], [1, 2]);

const state: TrainingState = {
  step: 12,
  seed: 42,
  tensors: new Map([
    [stateName('parameter', 'fc/weight'), tensor],
    [stateName('optimizer', 'fc/weight/m'), tensor],
    [stateName('plugin', 'quantize/residual'), tensor],
    [stateName('statistic', 'bn.mean'), tensor],
  ]),
  metadata: { schedule: '{"kind":"cosine"}' },
  properties: { epoch: -(2n ** 63n), best: 0.25, note: 'a "quoted" note', int: '3' },
};

test("Gradware's own checkpoint is recognised and comes back whole", () => {
  const read = readCheckpoint(encodeTrainingState(state));
  expect(read).toEqual({ format: 'gradware', state });
  expect(tensorsOfKind(state, 'parameter')).toEqual(new Map([['fc/weight', tensor]]));
});

test("ONNX Runtime's checkpoint is recognised", () => {
  const checkpoint = {
    trainable: new Map([['w', tensor]]),
    frozen: new Map(),
    nominal: false,
    properties: new Map(),
  };
  expect(readCheckpoint(writeOrtCheckpoint(checkpoint))).toEqual({ format: 'ort', checkpoint });
});

const stateFile = (metadata: Readonly<Record<string, string>>, name = 'parameter/w') =>
  encodeSafetensors({ tensors: new Map([[name, tensor]]), metadata });

const own = { format: 'gradware', version: '1', step: '1', seed: '0' };

test.each<[string, Uint8Array, string]>([
  ['nothing', new Uint8Array(), 'not a whole training checkpoint'],
  ['text', new TextEncoder().encode('{"epochs": 3, "loss": 0.5}'), 'not a whole'],
  ['exported weights', stateFile({ format: 'pt' }), 'not a checkpoint of Gradware'],
  ['a later version', stateFile({ ...own, version: '2' }), 'unknown version "2"'],
  ['a negative step', stateFile({ ...own, step: '-1' }), 'the step "-1"'],
  ['no step', stateFile({ ...own, step: '' }), 'the step ""'],
  ['an infinite seed', stateFile({ ...own, seed: '1e999' }), 'the seed "1e999"'],
  ['a tensor of no kind', stateFile(own, 'weight'), '"weight" of the checkpoint has no kind'],
])('%s is refused', (_, bytes, problem) => {
  expect(() => readCheckpoint(bytes, { file: 'ckpt' })).toThrow(problem);
});

test('a truncated checkpoint is refused at every length', () => {
  const bytes = encodeTrainingState(state);
  for (let length = 0; length < bytes.length; length++) {
    expect(() => readCheckpoint(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'INVALID_CHECKPOINT' }),
    );
  }
});

test('a state that could not be read back is not written', () => {
  const tensors = new Map([['weight', tensor]]);
  expect(() => encodeTrainingState({ ...state, tensors })).toThrow(/no kind/);
  expect(() => encodeTrainingState({ ...state, metadata: { step: '3' } })).toThrow(/own/);
  expect(() => encodeTrainingState({ ...state, step: 0.5 })).toThrow(/0.5 steps/);
});
