import { chains } from './chains.js';
import { contender, openSession, type SessionUnderTest } from './gradware.js';
import type { PyTorch } from './pytorch.js';
import { type Contender, type Figure, interleave, type Schedule } from './rounds.js';
import type { Workload } from './workloads.js';

export interface Section {
  readonly title: string;
  readonly figures: ReadonlyMap<string, Figure>;
  readonly ratios: readonly Ratio[];
}

/** A quotient of medians, and the bound that it should keep. */
export interface Ratio {
  readonly name: string;
  readonly value: number;
  readonly bound?: { readonly kind: 'at least' | 'below'; readonly limit: number } | undefined;
}

type Bound = NonNullable<Ratio['bound']>;
const atLeast = (limit: number): Bound => ({ kind: 'at least', limit });
const below = (limit: number): Bound => ({ kind: 'below', limit });

function medianOf(figures: ReadonlyMap<string, Figure>, name: string): number {
  return figures.get(name)?.median ?? Number.NaN;
}

/** One step in each run, K in one, and PyTorch.
 *  @param gain how many times faster K steps in one run should be */
export async function speed(
  workload: Workload,
  pytorch: PyTorch | undefined,
  threads: number,
  schedule: Schedule,
  gain?: number,
): Promise<Section> {
  const { steps } = schedule;
  const [one, many] = ['one step per run', `${steps} steps per run`];
  const session = await openSession(workload, [], threads);
  const figures = await interleave(
    [
      contender(one, session.one),
      contender(many, session.many),
      ...(pytorch === undefined
        ? []
        : [contender('PyTorch', (count) => pytorch.run(workload.id, [], count))]),
    ],
    schedule,
  );
  await session.release();
  const median = (name: string) => medianOf(figures, name);
  return {
    title: workload.title,
    figures,
    ratios: [
      {
        name: `${one} / ${many}`,
        value: median(one) / median(many),
        bound: gain === undefined ? undefined : atLeast(gain),
      },
      ...(pytorch === undefined
        ? []
        : [
            {
              name: `PyTorch / ${many}`,
              value: median('PyTorch') / median(many),
              bound: atLeast(1),
            },
          ]),
    ],
  };
}

/** Not a number where the whole is lost in the noise. */
function shareOf(part: number, whole: number): number {
  return whole > 0 ? part / whole : Number.NaN;
}

/** What plugins add to a step, here and in PyTorch. */
export async function overhead(
  workload: Workload,
  pytorch: PyTorch | undefined,
  threads: number,
  schedule: Schedule,
): Promise<Section> {
  const names = Object.keys(chains) as (keyof typeof chains)[];
  const sessions: SessionUnderTest[] = [];
  const contenders: Contender[] = [];
  for (const name of names) {
    const session = await openSession(workload, chains[name], threads);
    sessions.push(session);
    contenders.push(contender(label(name), session.many));
  }
  if (pytorch !== undefined)
    for (const name of names)
      contenders.push(
        contender(`PyTorch, ${label(name)}`, (count) =>
          pytorch.run(workload.id, chains[name], count),
        ),
      );
  const figures = await interleave(contenders, schedule);
  for (const session of sessions) await session.release();
  const added = (prefix: string, name: 'clips' | 'four') =>
    medianOf(figures, prefix + label(name)) - medianOf(figures, prefix + label('empty'));
  const share = (name: 'clips' | 'four', limit: number): Ratio => ({
    name: `${label(name)} / ${label('empty')}`,
    value: 1 + added('', name) / medianOf(figures, label('empty')),
    bound: below(limit),
  });
  return {
    title: `Chains, ${workload.title}, ${schedule.steps} steps per run`,
    figures,
    ratios: [
      share('clips', 1.1),
      share('four', 1.3),
      ...(pytorch === undefined
        ? []
        : (['clips', 'four'] as const).map((name) => ({
            name: `what ${label(name)} add, of what they add in PyTorch`,
            value: shareOf(added('', name), added('PyTorch, ', name)),
            bound: below(1),
          }))),
    ],
  };
}

const labels = {
  empty: 'empty chain',
  clips: 'norm-clip + value-clip',
  four: 'norm-clip + value-clip + quantize + l2',
} as const satisfies Record<keyof typeof chains, string>;

function label(name: keyof typeof chains): string {
  return labels[name];
}
