import { parseArgs } from 'node:util';
import { type Finding, fuzz } from './fuzz.js';

const usage = `pnpm fuzz [options]

Damages training artifacts, checkpoints and models in every way, and uses them as if they were sound. Nothing but a
GradwareError may come of it: no crash, no other error, no two seconds of work, no two GiB.

  --count <n>     cases (default 20000)
  --seed <n>      decides what is damaged, and how (default 1)
  --only <n>      this one case
  --workers <n>   processes (default 2)

Genuine artifacts of ONNX Runtime are used where GRADWARE_ARTIFACTS names their folder.
`;

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    workers: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  },
});

function wholeNumber(name: 'count' | 'seed' | 'workers' | 'only', least: number): number {
  const number = Number(values[name]);
  if (Number.isSafeInteger(number) && number >= least) return number;
  process.stderr.write(`--${name} must be a whole number from ${least} on, not ${values[name]}\n`);
  process.exit(2);
}

if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const seed = wholeNumber('seed', 0);
const only = values.only === undefined ? undefined : wholeNumber('only', 0);
const [from, to] = only === undefined ? [0, wholeNumber('count', 1)] : [only, only + 1];

function describe({ index, title, problem }: Finding): string {
  return `case ${index} (--seed ${seed} --only ${index}): ${title}\n  ${problem.replaceAll('\n', '\n  ')}\n`;
}

const { findings, done, refused, subjects, slowest, largest } = await fuzz({
  seed,
  from,
  to,
  workers: Math.min(wholeNumber('workers', 1), to - from),
  onFinding: (finding) => process.stdout.write(describe(finding)),
  onProgress: (count) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${count} of ${to - from}`);
  },
});
const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
process.stdout.write(
  `${done} cases on ${subjects} sets of files, ${refused} refused, ${findings.length} findings; slowest ${slowest.toFixed(0)} ms, largest allocation ${mebibytes(largest)}\n`,
);
process.exitCode = findings.length === 0 ? 0 : 1;
