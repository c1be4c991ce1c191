import { type ArtifactFiles, type Feeds, GradwareError } from '@gradware/core';
import { Tensor } from '@gradware/core/web';
import { type Dataset, decodeDataset, split, toInputs, type WantedInput } from '@gradware/data';
import cnn from '../../../../models/digits/cnn.onnx?url';
import digitsTest from '../../../../models/digits/digits-test.npz?url';
import digitsTrain from '../../../../models/digits/digits-train.npz?url';
import mlp from '../../../../models/digits/mlp.onnx?url';
import { type BuiltInModel, misfit, type NamedFile } from '../shared/protocol.js';

const builtIn: Readonly<Record<BuiltInModel, { readonly url: string; readonly name: string }>> = {
  cnn: { url: cnn, name: 'Digits CNN' },
  mlp: { url: mlp, name: 'Digits MLP' },
};

/** A model that can be trained: a forward model, or training artifacts. */
export interface ModelFiles {
  readonly name: string;
  readonly source: Uint8Array | ArtifactFiles;
}

/** Files of one's own, as they were given. */
export interface OwnFiles {
  readonly model: readonly NamedFile[];
  readonly data: readonly NamedFile[];
}

export interface DataFiles {
  readonly name: string;
  readonly train: Dataset;
  readonly test: Dataset;
}

/** The part of own examples that is held out. */
const heldOut = 0.2;

async function load(url: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GradwareError('FILE', `A file of this page could not be loaded: ${reason}`, {
      where: url,
      remedy: 'Look at the connection and try again.',
      cause,
    });
  }
}

export async function builtInModel(which: BuiltInModel): Promise<ModelFiles> {
  const { url, name } = builtIn[which];
  return { name, source: await load(url) };
}

let digits: Promise<DataFiles> | undefined;

/** The digits; loaded once. */
export function builtInData(): Promise<DataFiles> {
  digits ??= (async () => {
    const [train, test] = await Promise.all([load(digitsTrain), load(digitsTest)]);
    return {
      name: 'UCI digits',
      train: decodeDataset({ name: 'digits-train.npz', bytes: train }),
      test: decodeDataset({ name: 'digits-test.npz', bytes: test }),
    };
  })();
  digits.catch(() => {
    digits = undefined;
  });
  return digits;
}

const artifactRoles = {
  trainModel: /training(_model)?\.onnx$/,
  evalModel: /eval(_model)?\.onnx$/,
  optimizerModel: /optimizer(_model)?\.onnx$/,
  checkpointState: /(^|[\\/])[^.]*checkpoint$|\.ckpt$/,
} as const;

const dataFile = /\.(npz|npy|csv|tsv)(\.gz)?$|[-.]idx\d?-[us]byte(\.gz)?$|\.idx\d?(\.gz)?$/i;

/** Sorts dropped files into a model and data.
 *  @throws GradwareError FILE, UNSUPPORTED for what is neither, or more than one model */
export function sortFiles(files: readonly NamedFile[]): {
  readonly model: readonly NamedFile[];
  readonly data: readonly NamedFile[];
} {
  const data = files.filter(({ name }) => dataFile.test(name));
  const model = files.filter((file) => !data.includes(file));
  for (const { name, bytes } of files)
    if (bytes.byteLength === 0)
      throw new GradwareError('FILE', 'The file is empty', { where: name });
  const strange = model.find(
    ({ name }) =>
      !/\.onnx$/i.test(name) && !Object.values(artifactRoles).some((role) => role.test(name)),
  );
  if (strange !== undefined)
    throw new GradwareError('UNSUPPORTED', 'This page cannot read this kind of file', {
      where: strange.name,
      remedy: 'It takes .onnx, training artifacts with their checkpoint, .npz, .npy, .csv and IDX.',
    });
  return { model, data };
}

/** @throws GradwareError FILE where artifacts are not complete, or the files are several models */
export function ownModel(files: readonly NamedFile[]): ModelFiles {
  const find = (role: keyof typeof artifactRoles) =>
    files.find(({ name }) => artifactRoles[role].test(name));
  const [trainModel, checkpointState] = [find('trainModel'), find('checkpointState')];
  const [only, second] = files;
  if (trainModel !== undefined || checkpointState !== undefined) {
    if (trainModel === undefined || checkpointState === undefined)
      throw new GradwareError(
        'FILE',
        `Training artifacts are not complete: the ${trainModel ? 'checkpoint' : 'training_model.onnx'} is missing`,
        { remedy: 'Drop all files of the folder together.' },
      );
    return {
      name: trainModel.name,
      source: {
        trainModel: trainModel.bytes,
        checkpointState: checkpointState.bytes,
        evalModel: find('evalModel')?.bytes,
        optimizerModel: find('optimizerModel')?.bytes,
      },
    };
  }
  if (only === undefined)
    throw new GradwareError('FILE', 'There is no model among the files', {
      remedy: 'Give an .onnx file, or the files of training artifacts.',
    });
  if (second !== undefined)
    throw new GradwareError(
      'FILE',
      `These are several models: ${files.map((f) => f.name).join(', ')}`,
      {
        remedy: 'Drop one .onnx file, or all files of one folder of training artifacts.',
      },
    );
  return { name: only.name, source: only.bytes };
}

/** Examples of one's own, a fifth of them held out; or two files that say in their names which is which.
 *  @throws GradwareError INVALID_DATA, UNSUPPORTED */
export function ownData(files: readonly NamedFile[]): DataFiles {
  const test = files.filter(({ name }) => /test|val/i.test(name));
  const train = files.filter((file) => !test.includes(file));
  if (test.length > 0 && train.length > 0)
    return {
      name: train[0]?.name ?? '',
      train: decodeDataset(train),
      test: decodeDataset(test),
    };
  const parts = split(decodeDataset(files), heldOut);
  return { name: files[0]?.name ?? '', train: parts.train, test: parts.heldOut };
}

/** What tables call the column that the model learns. */
const labelName = /^(labels?|class|target|y|digit|species|category)$/i;

/** The columns under the names of the model's inputs. Where names and shapes do not tell, a column that is called as labels
 *  are goes to the last input, and the rest to the other. */
function fitted(dataset: Dataset, wanted: readonly WantedInput[]): Dataset {
  const labels = [...dataset.columns.keys()].filter((name) => labelName.test(name));
  const last = wanted.at(-1)?.name ?? '';
  const [label = last] = labels;
  const guesses = labels.length === 1 && label !== last ? [{ [last]: label }] : [];
  let problem: unknown;
  for (const mapping of [{}, ...guesses])
    try {
      return toInputs(dataset, wanted, mapping);
    } catch (error) {
      problem = error;
    }
  if (!(problem instanceof GradwareError) || problem.code !== misfit) throw problem;
  // Unlike the command line, the page has no place to say which column is which.
  throw new GradwareError(misfit, problem.problem, {
    ...(problem.where !== undefined && { where: problem.where }),
    remedy: `Drop the model that it is for, or call its columns as the inputs are called: ${wanted.map(({ name }) => name).join(', ')}.`,
    cause: problem,
  });
}

/** The columns as tensors under the names of the model's inputs.
 *  @throws GradwareError INVALID_DATA where data and model do not fit */
export function feedsOf(dataset: Dataset, wanted: readonly WantedInput[]): Feeds {
  return Object.fromEntries(
    [...fitted(dataset, wanted).columns.values()].map(({ name, type, data, shape }) => [
      name,
      new Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );
}
