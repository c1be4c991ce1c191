import { type Feeds, GradwareError, inspectModel } from '@gradware/core';
import { convertArtifacts, nodeRuntime, Tensor, TrainingSession } from '@gradware/core/node';
import type { Sizes, Subject } from './corpus.js';
import { type Mutated, mutate } from './mutate.js';
import { randomFrom, seedOf } from './random.js';

/** A subject with one file damaged. */
export interface Case {
  readonly index: number;
  readonly subject: string;
  readonly file: string;
  readonly how: string;
  /** @returns the refusals. @throws what is none: a finding */
  run(): Promise<readonly GradwareError[]>;
}

/** The case that a seed and a number decide. */
export function caseOf(subjects: readonly Subject[], seed: number, index: number): Case {
  const random = randomFrom(seedOf(seed, index));
  const subject = random.pick(subjects as [Subject, ...Subject[]]);
  const role = random.pick(Object.keys(subject.files) as [string]);
  const original = (subject.files as Readonly<Record<string, Uint8Array>>)[role];
  const damaged: Mutated = mutate(original ?? new Uint8Array(), random);
  const files = { ...subject.files, [role]: damaged.bytes };
  return {
    index,
    subject: subject.name,
    file: role,
    how: damaged.how,
    run: () => use({ ...subject, files } as Subject),
  };
}

/** One thread: threads of their own would hide who takes the time. */
const session = { intraOpNumThreads: 1 } as const;

/** Does with files what a user would: looks at them, trains, evaluates, saves.
 *  @returns the refusals. @throws what is none: a finding */
export async function use(subject: Subject): Promise<readonly GradwareError[]> {
  const refusals: GradwareError[] = [];
  /** A refusal is as good as a result, so long as it is one of ours. */
  async function allowed<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof GradwareError)) throw error;
      refusals.push(error);
      return undefined;
    }
  }
  const opened = await open(subject, allowed);
  if (opened !== undefined) await train(opened, subject.sizes ?? {}, allowed);
  return refusals;
}

type Allowed = <T>(action: () => Promise<T>) => Promise<T | undefined>;

async function open(subject: Subject, allowed: Allowed): Promise<TrainingSession | undefined> {
  switch (subject.kind) {
    case 'model':
      await allowed(() => inspectModel(nodeRuntime.files, subject.files.model));
      return allowed(() => TrainingSession.create(subject.files.model, { session }));
    case 'artifacts':
      await allowed(() => convertArtifacts(subject.files));
      return allowed(() => TrainingSession.create(subject.files, { session }));
    case 'checkpoint': {
      const opened = await TrainingSession.create(subject.artifacts, { session });
      const { checkpoint } = subject.files;
      await allowed<unknown>(() =>
        subject.load === 'weights'
          ? opened.importWeights(checkpoint)
          : opened.loadCheckpoint(checkpoint),
      );
      return opened;
    }
  }
}

/** Sizes that a file asks for: beyond this, memory is what the file says, not what the reader does. */
const maxElements = 2 ** 20;

function feedsOf({ trainingInputs }: TrainingSession, sizes: Sizes): Feeds | undefined {
  const feeds: Record<string, Tensor> = {};
  for (const { name, type, shape = [] } of trainingInputs) {
    const dims = shape.map((dim) => (typeof dim === 'number' ? dim : (sizes[dim ?? ''] ?? 2)));
    const count = dims.reduce((a, b) => a * b, 1);
    if (!(count <= maxElements)) return undefined;
    const make = makers[type ?? 'float32'];
    if (make === undefined) return undefined;
    feeds[name] = make(count, dims);
  }
  return feeds;
}

const makers: Readonly<Record<string, (count: number, dims: readonly number[]) => Tensor>> = {
  float32: (count, dims) => new Tensor('float32', new Float32Array(count).fill(0.5), dims),
  float64: (count, dims) => new Tensor('float64', new Float64Array(count).fill(0.5), dims),
  int32: (count, dims) => new Tensor('int32', new Int32Array(count), dims),
  int64: (count, dims) => new Tensor('int64', new BigInt64Array(count), dims),
  bool: (count, dims) => new Tensor('bool', new Uint8Array(count), dims),
};

async function train(opened: TrainingSession, sizes: Sizes, allowed: Allowed): Promise<void> {
  const feeds = feedsOf(opened, sizes);
  if (feeds !== undefined) {
    await allowed(() => opened.step(feeds));
    await allowed(() => opened.runEvalStep(feeds));
  }
  await allowed(() => opened.exportModel());
  await allowed(() => opened.checkpoint({ format: 'ort' }));
  await allowed(() => opened.checkpoint());
  await allowed(() => opened.release());
}
