import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { methods } from './methods.js';
import { markdown, type Result, summary } from './report.js';
import { type Run, trainOnce } from './train.js';

const usage = `pnpm run compression [options]

Trains the digits CNN under every compressor, and writes accuracy and bytes per step into docs/COMPRESSION.md.

  --seeds <n>       runs of each compressor (default 5)
  --only <text>     compressors whose name holds this text; nothing is written then
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '5' },
    only: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const seeds = Number(values.seeds);
  const chosen = methods.filter(({ name }) => name.includes(values.only ?? ''));
  if (values.help || !(Number.isInteger(seeds) && seeds > 0) || chosen.length === 0) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const results: Result[] = [];
  for (const method of chosen) {
    const runs: Run[] = [];
    for (let seed = 1; seed <= seeds; seed++) runs.push(await trainOnce(method, seed));
    const result = { method, runs };
    results.push(result);
    const whole = results[0]?.runs[0]?.bytes ?? 0;
    process.stdout.write(`${summary(result, whole).join('  ')}\n`);
  }
  if (values.only !== undefined) return 0;
  const folder = new URL('../../../docs/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL('COMPRESSION.md', folder), markdown(results, seeds));
  return 0;
}

process.exitCode = await main();
