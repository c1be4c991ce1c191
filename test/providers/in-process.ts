import { type ChildProcess, fork, type Serializable } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import type { Tensors } from './piece.js';
import type { Runner } from './runner.js';

const worker = fileURLToPath(new URL('run-packs.mjs', import.meta.url));

/** A process with more than this is replaced: drivers do not give back what sessions took. */
const largestProcess = 1.5 * 2 ** 30;

interface Answer {
  readonly results?: readonly (readonly [string, TensorData])[];
  readonly error?: string;
  readonly memory: number;
}

/** Runs models on a provider of ONNX Runtime in processes of their own. No node may fall back to the CPU. */
export function inProcess(provider: string, environment: NodeJS.ProcessEnv = {}): Runner {
  let child: ChildProcess | undefined;
  let stopping: Promise<unknown> = Promise.resolve();

  function stop() {
    if (child === undefined) return;
    stopping = once(child, 'exit');
    child.kill('SIGKILL');
    child = undefined;
  }

  return {
    async run(model, feeds): Promise<Tensors> {
      await stopping;
      child ??= fork(worker, [provider], {
        serialization: 'advanced',
        env: { ...process.env, ...environment },
      });
      const answer = await ask(child, { model, feeds: [...feeds] }).catch((error) => {
        child = undefined;
        throw error;
      });
      if (answer.memory > largestProcess) stop();
      if (answer.results === undefined) throw new Error(answer.error);
      return new Map(answer.results);
    },
    async close() {
      stop();
      await stopping;
    },
  };
}

async function ask(child: ChildProcess, question: Serializable): Promise<Answer> {
  const listening = new AbortController();
  const { signal } = listening;
  try {
    const answered = once(child, 'message', { signal });
    const ended = once(child, 'exit', { signal });
    child.send(question);
    const [first, how] = await Promise.race([answered, ended]);
    if (typeof first === 'object' && first !== null) return first;
    throw new Error(`the process ended with ${how ?? first}`);
  } finally {
    listening.abort();
  }
}
