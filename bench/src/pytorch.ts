import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** PyTorch in a process of its own. */
export interface PyTorch {
  readonly version: string;
  /** The library of its matrix products. */
  readonly blas: string;
  /** What it can put into a chain. */
  readonly plugins: readonly string[];
  /** Makes some steps; returns the milliseconds that one took. */
  run(model: string, chain: readonly string[], steps: number): Promise<number>;
  close(): void;
}

/** The scripts beside package.json that train in PyTorch. */
export type Script = 'pytorch_steps.py' | 'pytorch_plugins.py';

/** Starts the first of some Pythons that has PyTorch; undefined where none has. */
export async function findPyTorch(
  pythons: readonly string[],
  threads: number,
  script: Script = 'pytorch_steps.py',
): Promise<PyTorch | undefined> {
  for (const python of pythons) {
    const found = await start(python, threads, script);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function start(
  python: string,
  threads: number,
  script: Script,
): Promise<PyTorch | undefined> {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const child = spawn(python, [path, String(threads)], { stdio: ['pipe', 'pipe', 'ignore'] });
  const failed = once(child, 'error').then(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<Record<string, unknown> | undefined> => {
    const line = await Promise.race([lines.next(), failed]);
    return line === undefined || line.done ? undefined : JSON.parse(line.value);
  };
  const hello = await answer();
  if (hello === undefined) return undefined;
  return {
    version: String(hello.pytorch),
    blas: String(hello.blas),
    plugins: hello.plugins as readonly string[],
    async run(model, chain, steps) {
      child.stdin.write(`${JSON.stringify({ model, chain, steps })}\n`);
      const result = await answer();
      if (result === undefined) throw new Error(`PyTorch ended while it trained ${model}`);
      return Number(result.ms);
    },
    close: () => child.stdin.end(),
  };
}
