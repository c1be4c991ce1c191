/** Something that trains and can be timed beside others. */
export interface Contender {
  readonly name: string;
  /** Makes some steps; returns the milliseconds that one took. */
  run(steps: number): Promise<number>;
}

/** Milliseconds per step. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export interface Schedule {
  readonly rounds: number;
  /** Steps of one turn. */
  readonly steps: number;
  readonly warmup: number;
  /** Milliseconds between two turns: the threads of the last contender go on spinning for a while, those of OpenBLAS
   *  for 26. */
  readonly pause: number;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export function figureOf(samples: readonly number[]): Figure {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** Lets contenders take turns (A B C, then C B A, ...), so that what else the machine does meets all of them. */
export async function interleave(
  contenders: readonly Contender[],
  schedule: Schedule,
): Promise<ReadonlyMap<string, Figure>> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -schedule.warmup; round < schedule.rounds; round++) {
    const order = round % 2 === 0 ? contenders : [...contenders].reverse();
    for (const contender of order) {
      const milliseconds = await contender.run(schedule.steps);
      if (round >= 0) samples.get(contender.name)?.push(milliseconds);
      await pause(schedule.pause);
    }
  }
  return new Map([...samples].map(([name, own]) => [name, figureOf(own)]));
}
