import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { environmentOf } from '../environment.js';
import { findPyTorch } from '../pytorch.js';
import { cnn, mlp } from '../workloads.js';
import { measure, type WorkloadCosts } from './measure.js';
import { formats, type PluginReport, written } from './report.js';
import { nothing, rows } from './rows.js';

const usage = `pnpm bench:plugins [options]

What every plugin adds to a step: passes over memory, and its share of a step, here and in PyTorch. Minutes.

  --json            the figures as JSON
  --markdown        the figures as a Markdown table
  --write           the table in docs/PERFORMANCE.md
  --only <text>     chains whose name holds this text
  --steps <K>       steps of one run (default 20)
  --rounds <n>      turns of each chain (default 9)
  --threads <n>     threads (default: the cores)
  --python <path>   a Python that has PyTorch (default: python3, then /usr/bin/python3)
`;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '9' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const [steps, rounds, threads] = [values.steps, values.rounds, values.threads].map(Number);
  const chosen = rows.filter((row) => row === nothing || row.name.includes(values.only));
  const isMeant = [steps, rounds, threads].every((n) => Number.isInteger(n) && Number(n) > 0);
  if (values.help || !isMeant || chosen.length < 2) {
    process.stderr.write(usage);
    return values.help ? 0 : 2;
  }
  const schedule = { steps: steps ?? 1, rounds: rounds ?? 1, warmup: 1, pause: 5 };
  const pythons = values.python === undefined ? ['python3', '/usr/bin/python3'] : [values.python];
  const pytorch = await findPyTorch(pythons, threads ?? 1, 'pytorch_plugins.py');
  const workloads: WorkloadCosts[] = [];
  for (const workload of [mlp, cnn])
    workloads.push(await measure(workload, chosen, pytorch, threads ?? 1, schedule));
  pytorch?.close();
  const environment = environmentOf(threads ?? 1, pytorch);
  const report: PluginReport = { environment, steps: schedule.steps, workloads };
  if (values.write) {
    const page = new URL('../../../docs/PERFORMANCE.md', import.meta.url);
    writeFileSync(page, written(readFileSync(page, 'utf8'), report));
  }
  const format = values.json ? 'json' : values.markdown ? 'markdown' : 'text';
  process.stdout.write(formats[format](report));
  return 0;
}

process.exitCode = await main();
