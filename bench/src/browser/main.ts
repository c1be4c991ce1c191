import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { wholeNumbers } from '../arguments.js';
import { browserBenchmark } from './run.js';

const usage = `pnpm bench:browser [options]

Milliseconds per training step in a headless Chromium (CHROMIUM_PATH, default /usr/bin/chromium), beside TensorFlow.js and
jax-js, as Markdown tables.

  --gpu             webgpu as well: slow where it is emulated
  --only-gpu        webgpu alone
  --steps <K>       steps of one turn (default 20)
  --rounds <n>      turns of each contender (default 8)
  --threads <n>     threads of each contender (default: the cores)
`;

const { values } = parseArgs({
  options: {
    gpu: { type: 'boolean', default: false },
    'only-gpu': { type: 'boolean', default: false },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '8' },
    threads: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const { threads, rounds, steps } = wholeNumbers(values, 'threads', 'rounds', 'steps');
const schedule = { rounds, steps, warmup: 1, pause: 80 };
try {
  const report = await browserBenchmark(schedule, threads, {
    processor: !values['only-gpu'],
    gpu: values.gpu || values['only-gpu'],
  });
  process.stdout.write(report);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
