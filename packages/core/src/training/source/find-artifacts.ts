import { isPbseqName } from '../../artifacts/pbseq-checkpoint.js';
import { GradwareError } from '../../errors.js';
import type { FileAccess } from '../../runtime/runtime.js';
import type { ArtifactFiles } from '../api.js';

/** The names that ORT's tools give the files, with a prefix or without. */
const roles = {
  trainModel: /training(_model)?\.(onnx|ort)$/,
  evalModel: /eval(_model)?\.(onnx|ort)$/,
  optimizerModel: /(optimizer(_model)?|adamw|sgd)\.(onnx|ort)$/,
  checkpointState: /^(?!.*nominal).*(checkpoint|\.ckpt)$/,
} as const;

const nominal = /nominal_checkpoint$/;

/** What ORT's tools call a file behind the prefix, without its ending. */
const toolNames: Readonly<Record<keyof typeof roles, string>> = {
  trainModel: 'training_model',
  evalModel: 'eval_model',
  optimizerModel: 'optimizer_model',
  checkpointState: 'checkpoint',
};

/** Files that may be meant: where a model is there as .onnx and as .ort, both hold the same. */
function candidates(names: readonly string[], role: keyof typeof roles): readonly string[] {
  const found = names.filter((name) => roles[role].test(name));
  return found.filter((name) => !name.endsWith('.ort') || !found.includes(twinOf(name)));
}

const stemOf = (name: string) => name.replace(/\.(onnx|ort)$/, '');

const twinOf = (name: string) => name.replace(/\.ort$/, '.onnx');

/** Finds the artifact files in a folder: models as .onnx or .ort; the checkpoint as a file, as a folder, or as .pbseq
 *  files beside the models; a nominal one where there is no other.
 *  Of several, the one that is named as ORT's tools name it, with the prefix of the training model.
 *  @throws GradwareError FILE where one is missing, or two could be meant */
export async function findArtifacts(
  files: FileAccess,
  folder: string | URL,
): Promise<ArtifactFiles> {
  const names = await files.list(folder);
  const training = candidates(names, 'trainModel');
  const prefix = training.length === 1 ? training[0]!.replace(roles.trainModel, '') : '';
  const find = (role: keyof typeof roles): string | undefined => {
    const found = candidates(names, role);
    const [only] = found;
    if (found.length > 1) {
      // Checkpoints of later steps are often saved beside the artifacts: the names of the tool go first.
      const named = found.find((name) => stemOf(name) === prefix + toolNames[role]);
      if (named !== undefined) return files.join(folder, named);
      throw new GradwareError(
        'FILE',
        `The folder has several files that could be the ${role}: ${found.join(', ')}`,
        {
          where: String(folder),
          remedy: `Name it ${prefix}${toolNames[role]}, or name the files: { checkpointState, trainModel, evalModel, optimizerModel }.`,
        },
      );
    }
    return only === undefined ? undefined : files.join(folder, only);
  };
  const demand = <T>(role: keyof typeof roles, found: T | undefined): T => {
    if (found !== undefined) return found;
    throw new GradwareError('FILE', `The folder has no ${role}`, {
      where: String(folder),
      remedy: `It should hold training_model.onnx, eval_model.onnx, optimizer_model.onnx (or .ort) and checkpoint; it holds ${names.join(', ') || 'nothing'}.`,
    });
  };
  const bare = names.find((name) => nominal.test(name));
  return {
    trainModel: demand('trainModel', find('trainModel')),
    checkpointState: demand(
      'checkpointState',
      find('checkpointState') ??
        (names.some(isPbseqName) ? folder : undefined) ??
        (bare === undefined ? undefined : files.join(folder, bare)),
    ),
    evalModel: find('evalModel'),
    optimizerModel: find('optimizerModel'),
  };
}
