import { GradwareError } from '../errors.js';
import { isTensorSequence } from '../onnx/tensor-sequence.js';
import {
  type Checkpoint,
  type CheckpointSource,
  isOrtCheckpoint,
  readOrtCheckpoint,
} from './ort-checkpoint.js';
import { readPbseqCheckpoint } from './pbseq-checkpoint.js';
import { isSafetensors } from './safetensors.js';
import { decodeTrainingState, type TrainingState } from './training-state.js';

/** What the one file is called that older checkpoints cannot be without. */
const trainableFile = 'paramtrain_tensors.pbseq';

/** A checkpoint of either kind. */
export type AnyCheckpoint =
  | { readonly format: 'ort'; readonly checkpoint: Checkpoint }
  | { readonly format: 'gradware'; readonly state: TrainingState };

/** Reads a checkpoint, whichever kind it is: ONNX Runtime's (versions 1 and 2, or the parameters of the older folder)
 *  or Gradware's own.
 *  @throws GradwareError INVALID_CHECKPOINT for anything else, and for damaged files. */
export function readCheckpoint(bytes: Uint8Array, source: CheckpointSource = {}): AnyCheckpoint {
  if (isOrtCheckpoint(bytes))
    return { format: 'ort', checkpoint: readOrtCheckpoint(bytes, source) };
  if (isSafetensors(bytes)) {
    return { format: 'gradware', state: decodeTrainingState(bytes, source.file) };
  }
  if (isTensorSequence(bytes)) {
    const files = new Map([[trainableFile, bytes]]);
    return {
      format: 'ort',
      checkpoint: readPbseqCheckpoint(files, source.file ?? 'the checkpoint'),
    };
  }
  throw new GradwareError('INVALID_CHECKPOINT', 'This is not a whole training checkpoint', {
    where: source.file ?? 'the checkpoint',
    remedy:
      'Give a checkpoint of ONNX Runtime (up to 1.19) or one that Gradware saved; check that it was copied completely.',
  });
}
