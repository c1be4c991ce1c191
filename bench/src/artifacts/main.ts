import { parseArgs } from 'node:util';
import { environmentOf } from '../environment.js';
import { compare, render } from './suite.js';

const usage = `pnpm bench:artifacts [options]

Milliseconds per step of the same training artifacts (the MNIST perceptron) in ONNX Runtime's own training runtime
(1.19.2, wasm) and here (cpu and wasm), one thread each. Genuine artifacts are used where GRADWARE_ARTIFACTS names
their folder, else our own of the same network.

  --batch <n>     examples in a step (default 64)
  --steps <K>     steps of one turn (default 20)
  --rounds <n>    turns of each contender (default 15)
`;

const { values } = parseArgs({
  options: {
    batch: { type: 'string', default: '64' },
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '15' },
    help: { type: 'boolean', default: false },
  },
});
const [batch = 0, steps = 0, rounds = 0] = [values.batch, values.steps, values.rounds].map(Number);
const meant = [batch, steps, rounds].every((n) => Number.isInteger(n) && n > 0);
if (values.help || !meant) {
  process.stderr.write(usage);
  process.exit(values.help ? 0 : 2);
}
const comparison = await compare(batch, { steps, rounds, warmup: 2, pause: 40 });
process.stdout.write(render(comparison, environmentOf(1, undefined)));
