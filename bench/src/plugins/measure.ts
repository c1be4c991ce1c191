import { TrainingSession } from '@gradware/core/node';
import { countPasses, type Passes, tensorOf } from '@gradware/core/testing';
import { openChain } from '../gradware.js';
import type { PyTorch } from '../pytorch.js';
import type { Schedule } from '../rounds.js';
import type { Workload } from '../workloads.js';
import type { Row } from './rows.js';

/** What a chain adds to a step, as a share of the step without it. */
export interface Share {
  readonly median: number;
  /** Half of the turns lie between these. */
  readonly low: number;
  readonly high: number;
}

export interface Cost {
  readonly row: Row;
  readonly passes: Passes;
  readonly gradware: Share;
  /** Undefined where PyTorch is not there, or has no counterpart. */
  readonly pytorch: Share | undefined;
}

export interface WorkloadCosts {
  readonly workload: Workload;
  /** Milliseconds of a step with the empty chain, the median of all turns. */
  readonly step: number;
  readonly pytorchStep: number | undefined;
  readonly costs: readonly Cost[];
}

/** Makes some steps; returns the milliseconds that one took. */
type Turn = (steps: number) => Promise<number>;

interface Compared {
  readonly share: Share;
  /** Of the steps compared with. */
  readonly milliseconds: readonly number[];
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (low === undefined || high === undefined) return Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The quartiles of what `own` took beyond `base`. */
export function shareOf(base: readonly number[], own: readonly number[]): Share {
  const shares = own.map((time, i) => time / (base[i] ?? Number.NaN) - 1).sort((a, b) => a - b);
  return {
    median: quantile(shares, 0.5),
    low: quantile(shares, 0.25),
    high: quantile(shares, 0.75),
  };
}

/** Turns of two, side by side in time and in changing order, so that what else the machine does meets both. */
async function compare(base: Turn, own: Turn, schedule: Schedule): Promise<Compared> {
  const both = [
    { turn: base, times: [] as number[] },
    { turn: own, times: [] as number[] },
  ] as const;
  for (let round = -schedule.warmup; round < schedule.rounds; round++)
    for (const { turn, times } of round % 2 === 0 ? both : [both[1], both[0]]) {
      const milliseconds = await turn(schedule.steps);
      if (round >= 0) times.push(milliseconds);
      await pause(schedule.pause);
    }
  return { share: shareOf(both[0].times, both[1].times), milliseconds: both[0].times };
}

/** Weights of the shapes that a model trains. */
async function weightsOf(workload: Workload) {
  const session = await TrainingSession.create(workload.model(), { loss: 'cross-entropy' });
  const all = new Map<string, ReturnType<typeof tensorOf>>();
  for (const name of session.trainableNames) {
    const { dims } = await session.getParameter(name);
    const size = dims.reduce((product, dim) => product * dim, 1);
    all.set(name, tensorOf('float32', new Array<number>(size).fill(0), dims));
  }
  await session.release();
  return all;
}

async function ownCosts(
  workload: Workload,
  rows: readonly Row[],
  threads: number,
  schedule: Schedule,
): Promise<readonly Compared[]> {
  const base = await openChain(workload, [], { threads, metrics: false });
  const results: Compared[] = [];
  for (const { chain } of rows) {
    const own = await openChain(workload, chain(), { threads, metrics: false });
    results.push(await compare(base.many, own.many, schedule));
    await own.release();
  }
  await base.release();
  return results;
}

/** What each chain adds to a step of a model, here and in PyTorch. */
export async function measure(
  workload: Workload,
  rows: readonly Row[],
  pytorch: PyTorch | undefined,
  threads: number,
  schedule: Schedule,
): Promise<WorkloadCosts> {
  const weights = await weightsOf(workload);
  const costs = await ownCosts(workload, rows, threads, schedule);
  const peers = new Map<string, Compared>();
  for (const { name } of rows) {
    if (pytorch === undefined || !pytorch.plugins.includes(name)) continue;
    const turn = (plugin: string): Turn => {
      return (steps) => pytorch.run(workload.id, [plugin], steps);
    };
    const base: Turn = (steps) => pytorch.run(workload.id, [], steps);
    // Many steps at a time gain nothing there, and it takes longer than all of the others.
    const { rounds, steps } = schedule;
    const own = { ...schedule, rounds: Math.ceil(rounds / 2), steps: Math.ceil(steps / 2) };
    peers.set(name, await compare(base, turn(name), own));
  }
  const median = (all: Iterable<Compared>) =>
    quantile(
      [...all].flatMap(({ milliseconds }) => milliseconds).sort((a, b) => a - b),
      0.5,
    );
  return {
    workload,
    step: median(costs),
    pytorchStep: peers.size === 0 ? undefined : median(peers.values()),
    costs: rows.map((row, i) => ({
      row,
      passes: countPasses({ plugins: row.chain(), weights }),
      gradware: (costs[i] as Compared).share,
      pytorch: peers.get(row.name)?.share,
    })),
  };
}
