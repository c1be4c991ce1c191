import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { methods } from './methods.js';
import { markdown, type Result, summary } from './report.js';
import { type Run, trainOnce } from './train.js';

const usage = `pnpm run adding-problem [options]

Trains a recurrent network on the adding problem without clipping and with three kinds of it, and writes what became of
it into docs/ADDING_PROBLEM.md.

  --seeds <n>       runs of each (default 5)
  --length <T>      this length alone, not 50 and 100; nothing is written then
  --only <text>     methods whose name holds this text; nothing is written then
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    length: { type: 'string' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

/** Runs jobs on all cores, each on one; results in the order of the jobs. */
async function sideBySide<T>(jobs: readonly (() => Promise<T>)[]): Promise<readonly T[]> {
  const results: T[] = [];
  const waiting = [...jobs.entries()];
  const lane = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      results[next[0]] = await next[1]();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, lane));
  return results;
}

async function main(): Promise<number> {
  const seeds = Number(values.seeds);
  const lengths = values.length === undefined ? [50, 100] : [Number(values.length)];
  const chosen = methods.filter(({ name }) => name.includes(values.only ?? ''));
  const isMeant = [seeds, ...lengths].every((n) => Number.isInteger(n) && n > 0);
  if (values.help || !isMeant || Math.min(...lengths) < 2 || chosen.length === 0) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const results: Result[] = [];
  for (const length of lengths) {
    const jobs = chosen.flatMap((method) =>
      Array.from({ length: seeds }, (_, i): (() => Promise<Run>) => {
        return () => trainOnce(method, { length, seed: 101 + i });
      }),
    );
    const runs = await sideBySide(jobs);
    chosen.forEach((method, i) => {
      const result = { length, method, runs: runs.slice(i * seeds, (i + 1) * seeds) };
      results.push(result);
      process.stdout.write(`${summary(result).join('  ')}\n`);
    });
  }
  if (values.only !== undefined || values.length !== undefined) return 0;
  const folder = new URL('../../../docs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('ADDING_PROBLEM.md', folder), markdown(results, seeds));
  return 0;
}

process.exitCode = await main();
