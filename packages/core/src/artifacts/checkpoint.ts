import { GradwareError } from '../errors.js';
import {
  type Checkpoint,
  type CheckpointSource,
  isOrtCheckpoint,
  readOrtCheckpoint,
} from './ort-checkpoint.js';
import { isSafetensors } from './safetensors.js';
import { decodeTrainingState, type TrainingState } from './training-state.js';

/** A checkpoint of either kind. */
export type AnyCheckpoint =
  | { readonly format: 'ort'; readonly checkpoint: Checkpoint }
  | { readonly format: 'gradware'; readonly state: TrainingState };

/** Reads a checkpoint, whichever kind it is: ONNX Runtime's (versions 1 and 2) or Gradware's own.
 *  @throws GradwareError INVALID_CHECKPOINT for anything else, and for damaged files. */
export function readCheckpoint(bytes: Uint8Array, source: CheckpointSource = {}): AnyCheckpoint {
  if (isOrtCheckpoint(bytes))
    return { format: 'ort', checkpoint: readOrtCheckpoint(bytes, source) };
  if (isSafetensors(bytes)) {
    return { format: 'gradware', state: decodeTrainingState(bytes, source.file) };
  }
  throw new GradwareError('INVALID_CHECKPOINT', 'This is not a whole training checkpoint', {
    where: source.file ?? 'the checkpoint',
    remedy:
      'Give a checkpoint of ONNX Runtime 1.16 to 1.19 or one that Gradware saved; check that it was copied completely.',
  });
}
