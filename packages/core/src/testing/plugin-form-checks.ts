import type { Bench } from './bench.js';
import { type Check, fail } from './checks.js';
import { expectClose, expectSame } from './compare.js';
import { runSteps, type Trial } from './plugin-trial.js';
import { sameNumber } from './tensors.js';

/** Whatever runs it, and however, a plugin gives the same numbers; those that are made with definePlugin say what
 *  they do. */
export function formChecks<Given>(trial: Trial<Given>): readonly Check[] {
  const { make, plain, provider } = trial;
  const { transform, encode, decode, transformHost } = plain;
  const inBoth = transform !== undefined && encode !== undefined && decode !== undefined;
  return [
    ...(provider !== 'cpu' ? [agreesWithCpu(trial)] : []),
    // WebGPU has no Loop.
    ...(transformHost === undefined && provider !== 'webgpu' ? [agreesInLoop(trial)] : []),
    ...(inBoth ? [agreesWithWire(trial)] : []),
    ...(make.definition !== undefined ? [describesItself(make.definition)] : []),
  ];
}

function agreesWithCpu<Given>({ provider, steps, on }: Trial<Given>): Check {
  return {
    name: 'gives the numbers of the CPU',
    run: async () => {
      const here = await on((bench) => runSteps(bench, steps));
      const there = await on((bench) => runSteps(bench, steps), { on: 'cpu' });
      expectClose(here, there, provider);
    },
  };
}

function agreesInLoop<Given>({ steps, on }: Trial<Given>): Check {
  return {
    name: 'does the same in one run of many steps as in many runs',
    run: async () => {
      const [one, many] = [
        await on((bench) => runSteps(bench, steps)),
        await on(async (bench) => {
          await bench.steps(steps);
          return bench.state();
        }),
      ];
      expectSame(many, one, 'five steps in one run');
    },
  };
}

function agreesWithWire<Given>({ make, given, plain, steps, on }: Trial<Given>): Check {
  return {
    name: 'gives by transform the numbers of decode after encode, and counts its bytes',
    run: async () => {
      const { transform: _, ...wire } = make(given());
      const runAndCount = async (bench: Bench) => {
        const bytes: (number | undefined)[] = [];
        for (const gradients of steps)
          bytes.push((await bench.step(gradients)).metrics[`${plain.id ?? plain.name}.bytes`]);
        return { state: bench.state(), bytes: `${bytes}` };
      };
      const [fast, sent] = [await on(runAndCount), await on(runAndCount, { plugins: [wire] })];
      expectSame(sent.state, fast.state, 'decode after encode', sameNumber);
      if (sent.bytes !== fast.bytes)
        fail(`it reports ${fast.bytes} bytes, and sends ${sent.bytes}`);
    },
  };
}

function describesItself({
  description = '',
  options,
}: NonNullable<Trial<unknown>['make']['definition']>): Check {
  return {
    name: 'describes itself and its options',
    async run() {
      if (description === '') fail('it has no description');
      for (const [name, { help }] of Object.entries(options))
        if (help === '') fail(`its option ${name} has no help text`);
    },
  };
}
