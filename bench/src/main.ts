import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { wholeNumbers } from './arguments.js';
import { compileCases, measureCompilation } from './compile.js';
import { compileFormats } from './compile-report.js';
import { environmentOf } from './environment.js';
import { watchMemory } from './memory.js';
import { findPyTorch } from './pytorch.js';
import { formats } from './report.js';
import { overhead, speed } from './suite.js';
import { cnn, lstm, mlp, small, transformer } from './workloads.js';

const usage = `pnpm bench [options]

Milliseconds per training step: one step per run, K steps per run, the same in PyTorch, and what chains add.

  --json            the figures as JSON
  --markdown        the figures as Markdown tables
  --memory          the resident memory over 10,000 steps as well
  --compile         instead: what it takes to differentiate and compile large models
  --steps <K>       steps of one run (default 20)
  --rounds <n>      turns of each contender (default 30)
  --threads <n>     threads of each contender (default: the cores)
  --python <path>   a Python that has PyTorch (default: python3, then /usr/bin/python3)
`;

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    markdown: { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    compile: { type: 'boolean', default: false },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '30' },
    threads: { type: 'string', default: String(availableParallelism()) },
    python: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const format = values.json ? 'json' : values.markdown ? 'markdown' : 'text';
if (values.compile) {
  const made = [];
  for (const title of compileCases) made.push(await measureCompilation(title));
  process.stdout.write(compileFormats[format](made));
  process.exit(0);
}

const { threads, rounds, steps } = wholeNumbers(values, 'threads', 'rounds', 'steps');
const schedule = { rounds, steps, warmup: 3, pause: 80 };
const pythons = values.python === undefined ? ['python3', '/usr/bin/python3'] : [values.python];
const pytorch = await findPyTorch(pythons, threads);
const sections = [
  await speed(mlp, pytorch, threads, schedule, 1.3),
  await speed(cnn, pytorch, threads, schedule, 1.1),
  await speed(lstm, pytorch, threads, schedule),
  await speed(transformer, pytorch, threads, schedule),
  await overhead(mlp, pytorch, threads, schedule),
];
pytorch?.close();
const memory = values.memory ? await watchMemory(small, 10_000, 1_000) : undefined;
const report = { environment: environmentOf(threads, pytorch), sections, memory };
process.stdout.write(formats[format](report));
