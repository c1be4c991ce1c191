import { spawnSync } from 'node:child_process';

const candidates = [process.env.GRADWARE_PYTHON, 'python3', '/usr/bin/python3'];

/** A Python that can import these modules (GRADWARE_PYTHON, or the usual ones); says once where there is none. */
export function pythonWith(...modules: readonly string[]): string | undefined {
  const code = modules.map((name) => `import ${name}`).join('\n');
  const found = candidates.find(
    (python) => python !== undefined && spawnSync(python, ['-c', code]).status === 0,
  );
  if (found === undefined)
    console.warn(`Skipped: no Python with ${modules.join(', ')} (set GRADWARE_PYTHON).`);
  return found;
}

/** Runs a program on standard input, and reads the JSON that it prints. */
export function runPython(python: string, program: string, ...args: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(python, ['-c', program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}
