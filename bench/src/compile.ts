import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crossEntropy, type Feeds, type Loss, Tensor, TrainingSession } from '@gradware/core/node';
import { resNet50 } from './models/resnet.js';
import { transformerDecoder } from './models/transformer.js';

const mebibyte = 2 ** 20;

interface Case {
  readonly model: () => Uint8Array;
  readonly loss: () => Loss;
  readonly feeds: (names: readonly string[]) => Feeds;
  /** Bounds of opening and the first step together, and of all memory beyond the weights. */
  readonly seconds: number;
  readonly mebibytes: number | undefined;
}

const cases: Readonly<Record<string, Case>> = {
  'ResNet-50, batch 1 of 64 x 64': {
    model: () => resNet50(64),
    loss: () => crossEntropy(),
    feeds: ([x = '', labels = '']) => ({
      [x]: new Tensor('float32', new Float32Array(3 * 64 * 64), [1, 3, 64, 64]),
      [labels]: new Tensor('int64', new BigInt64Array(1), [1]),
    }),
    seconds: 10,
    mebibytes: 1024,
  },
  'Transformer, 12 layers of width 768, batch 1 of 64 tokens': {
    model: () => transformerDecoder({ layers: 12, width: 768, heads: 12, length: 64, tokens: 256 }),
    loss: () => crossEntropy({ axis: -1 }),
    feeds: ([x = '', labels = '']) => ({
      [x]: new Tensor('int64', new BigInt64Array(64), [1, 64]),
      [labels]: new Tensor('int64', new BigInt64Array(64), [1, 64]),
    }),
    seconds: 20,
    mebibytes: undefined,
  },
};

export const compileCases: readonly string[] = Object.keys(cases);

/** What it takes to make a training step of a model. */
export interface Compilation {
  readonly title: string;
  /** MiB of the weights. */
  readonly weights: number;
  /** Seconds to read and differentiate the model. */
  readonly open: number;
  /** Seconds to compile the step and make the first; another step takes `step`. */
  readonly first: number;
  readonly step: number;
  /** MiB by which the process has grown at most when the model is open, the weights included; and after two steps with
   *  AdamW, which hold the weights, their gradients, two moments and the activations. */
  readonly opened: number;
  readonly trained: number;
  readonly seconds: number;
  readonly mebibytes: number | undefined;
}

/** Peaks are those of a process: each case has its own, which reads the model from a file. */
export async function measureCompilation(title: string): Promise<Compilation> {
  const folder = await mkdtemp(join(tmpdir(), 'gradware-bench-'));
  try {
    const file = join(folder, 'model.onnx');
    await writeFile(file, (cases[title] as Case).model());
    const child = fork(fileURLToPath(import.meta.url), [title, file]);
    const ended = once(child, 'exit').then(([code]): never => {
      throw new Error(`The process that compiles ${title} ended with ${code}`);
    });
    const [message] = await Promise.race([once(child, 'message'), ended]);
    await ended.catch(() => undefined);
    return message as Compilation;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** MiB that this process has held at most. What Node.js reports begins, on Linux, with what its parent held. */
function peak(): number {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const own = /^VmHWM:\s*(\d+) kB/m.exec(status)?.[1];
  return (own === undefined ? process.resourceUsage().maxRSS : Number(own)) / 1024;
}

async function compile(title: string, file: string): Promise<Compilation> {
  const { loss, feeds, seconds, mebibytes } = cases[title] as Case;
  const { size } = await stat(file);
  const [before, start] = [peak(), performance.now()];
  const session = await TrainingSession.create(file, { loss: loss(), learningRate: 1e-4 });
  const [opened, afterOpen] = [peak(), performance.now()];
  const batch = feeds(session.trainingInputNames);
  await session.step(batch);
  const afterFirst = performance.now();
  await session.step(batch);
  const afterSecond = performance.now();
  const trained = peak();
  await session.release();
  return {
    title,
    weights: size / mebibyte,
    open: (afterOpen - start) / 1000,
    first: (afterFirst - afterOpen) / 1000,
    step: (afterSecond - afterFirst) / 1000,
    opened: opened - before,
    trained: trained - before,
    seconds,
    mebibytes,
  };
}

const [, own, asked = '', model = ''] = process.argv;
if (own === fileURLToPath(import.meta.url) && process.send !== undefined)
  process.send(await compile(asked, model), () => process.disconnect());
