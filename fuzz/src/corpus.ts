import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateArtifacts, InferenceSession, TrainingSession } from '@gradware/core/node';
import { networks } from './networks.js';
import { tensorSequence } from './pbseq.js';

/** Files that belong together; one of them at a time is damaged. */
export type Subject = { readonly name: string; readonly sizes?: Sizes | undefined } & (
  | { readonly kind: 'artifacts'; readonly files: ArtifactBytes }
  /** A checkpoint or weights, loaded into a session on sound artifacts. */
  | {
      readonly kind: 'checkpoint';
      readonly artifacts: ArtifactBytes;
      readonly files: { readonly checkpoint: Uint8Array; readonly data?: Uint8Array };
      readonly load: 'checkpoint' | 'weights';
    }
  | { readonly kind: 'model'; readonly files: { readonly model: Uint8Array } }
);

export interface ArtifactBytes {
  readonly trainModel: Uint8Array;
  readonly evalModel?: Uint8Array;
  readonly optimizerModel?: Uint8Array;
  readonly checkpointState: Uint8Array;
}

/** The sizes of open dimensions that have to be one and no other; the rest are batches. */
export type Sizes = Readonly<Record<string, number>>;

/** Artifacts, checkpoints and models of our own: every container, small. */
export async function ownSubjects(): Promise<readonly Subject[]> {
  const subjects: Subject[] = [];
  for (const [name, model] of Object.entries(networks)) {
    subjects.push({ name: `${name}.onnx`, kind: 'model', files: { model } });
    subjects.push({
      name: `${name}.ort`,
      kind: 'model',
      files: { model: await inOrtFormat(model) },
    });
    const made = await generateArtifacts(model, { nominalCheckpoint: true });
    const { trainModel, evalModel, checkpointState, optimizerModel } = made;
    const files = {
      trainModel,
      evalModel,
      checkpointState,
      ...(optimizerModel && { optimizerModel }),
    };
    subjects.push({ name: `${name} artifacts`, kind: 'artifacts', files });
    const nominal = made.nominalCheckpointState ?? checkpointState;
    subjects.push({
      name: `${name} artifacts, nominal`,
      kind: 'artifacts',
      files: { ...files, checkpointState: nominal },
    });
    const session = await TrainingSession.create(files);
    const add = (title: string, load: 'checkpoint' | 'weights', checkpoint: Uint8Array) =>
      subjects.push({
        name: `${name}, ${title}`,
        kind: 'checkpoint',
        artifacts: files,
        files: { checkpoint },
        load,
      });
    const properties = { epoch: 3n, best: 0.5, note: 'x' };
    add('checkpoint', 'checkpoint', await session.checkpoint({ properties }));
    add(
      'checkpoint for ORT',
      'checkpoint',
      await session.checkpoint({ format: 'ort', properties }),
    );
    add('weights', 'weights', await session.exportWeights());
    const sequence = tensorSequence(await parametersOf(session));
    add('.pbseq', 'checkpoint', sequence);
    subjects.push({
      name: `${name} artifacts, .pbseq`,
      kind: 'artifacts',
      files: { ...files, checkpointState: sequence },
    });
    await session.release();
  }
  return subjects;
}

async function parametersOf(session: TrainingSession) {
  const names = [...session.trainableNames, ...session.frozenNames];
  return Promise.all(
    names.map(async (name) => {
      const { dims, data } = await session.getParameter(name);
      return [name, { dims, data: data as Float32Array }] as const;
    }),
  );
}

/** What stock ONNX Runtime makes of a model in its own format. */
async function inOrtFormat(model: Uint8Array): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'gradware-fuzz-'));
  try {
    const path = join(folder, 'model.ort');
    const session = await InferenceSession.create(model, {
      optimizedModelFilePath: path,
      graphOptimizationLevel: 'extended',
      logSeverityLevel: 4,
      extra: { session: { save_model_format: 'ORT' } },
    });
    await session.release();
    return new Uint8Array(readFileSync(path));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Genuine {
  readonly folder: string;
  readonly sizes?: Sizes;
  readonly trainModel: string;
  readonly evalModel?: string;
  readonly optimizerModel?: string;
  readonly checkpointState: string;
}

/** Sets that ONNX Runtime's own tools wrote. They are not ours to ship: GRADWARE_ARTIFACTS names their folder. */
const genuine: readonly Genuine[] = [
  {
    folder: 'yalue-go',
    trainModel: 'training_model.onnx',
    evalModel: 'eval_model.onnx',
    optimizerModel: 'optimizer_model.onnx',
    checkpointState: 'checkpoint',
  },
  {
    folder: 'srijanie-transformer',
    trainModel: 'training_model.onnx',
    evalModel: 'eval_model.onnx',
    optimizerModel: 'optimizer_model.onnx',
    checkpointState: 'checkpoint',
  },
  {
    folder: 'ort-testdata-ort-format',
    trainModel: 'training_model.ort',
    evalModel: 'eval_model.ort',
    optimizerModel: 'optimizer_model.ort',
    checkpointState: 'checkpoint',
  },
  {
    folder: 'ort-testdata-mnist',
    sizes: { 'input-0_dim1': 784 },
    trainModel: 'training_model.onnx',
    evalModel: 'eval_model.onnx',
    optimizerModel: 'adamw.onnx',
    checkpointState: 'checkpoint.ckpt',
  },
  {
    folder: 'ort-testdata-mnist',
    sizes: { 'input-0_dim1': 784 },
    trainModel: 'training_model.onnx',
    checkpointState: 'nominal_checkpoint',
  },
  {
    folder: 'ort-testdata-old',
    sizes: { 'input-0_dim1': 784 },
    trainModel: 'training_model_v1accum.onnx',
    optimizerModel: 'adamw_925.onnx',
    checkpointState: 'paramtrain_tensors.pbseq',
  },
  {
    folder: 'ort-testdata-old',
    sizes: { input1_dim1: 784 },
    trainModel: 'gradient_graph.onnx',
    optimizerModel: 'optimizer_graph.onnx',
    checkpointState: 'checkpoint_v1.ckpt',
  },
  {
    folder: 'ort-testdata-custom-ops',
    trainModel: 'training_model.onnx',
    checkpointState: 'checkpoint',
  },
];

/** The genuine artifacts that are at hand. */
export function genuineSubjects(): readonly Subject[] {
  const beside = fileURLToPath(new URL('../../../shared/artifacts', import.meta.url));
  const root = process.env.GRADWARE_ARTIFACTS ?? beside;
  return genuine.flatMap(({ folder, sizes, ...names }): readonly Subject[] => {
    const paths = Object.entries(names).map(([role, name]) => [role, join(root, folder, name)]);
    if (!paths.every(([, path]) => existsSync(path ?? ''))) return [];
    const files = Object.fromEntries(
      paths.map(([role, path]) => [role, new Uint8Array(readFileSync(path ?? ''))]),
    ) as unknown as ArtifactBytes;
    return [
      {
        name: `${folder}/${names.trainModel}, ${names.checkpointState}`,
        kind: 'artifacts',
        files,
        sizes,
      },
    ];
  });
}
