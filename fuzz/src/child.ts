import { largestAllocation, watchAllocations } from './watch.js';

// Before the rest is loaded: what keeps a constructor for later has to get the watched one.
watchAllocations();
const { genuineSubjects, ownSubjects } = await import('./corpus.js');
const { caseOf } = await import('./target.js');

/** What the parent is told. */
export type Message =
  | { readonly type: 'ready'; readonly subjects: readonly string[] }
  | { readonly type: 'begin'; readonly index: number; readonly title: string }
  | {
      readonly type: 'end';
      readonly index: number;
      /** Of processor time. */
      readonly milliseconds: number;
      /** The most that was asked for at once, and the most that the process ever had. */
      readonly allocated: number;
      readonly resident: number;
      readonly refused: boolean;
      /** What was thrown that is no GradwareError. */
      readonly error: string | undefined;
    };

export interface Order {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  readonly every: number;
}

const tell = (message: Message) => process.send?.(message);

const subjects = [...(await ownSubjects()), ...genuineSubjects()];
tell({ type: 'ready', subjects: subjects.map(({ name }) => name) });

async function work({ seed, from, to, every }: Order): Promise<void> {
  for (let index = from; index < to; index += every) {
    const one = caseOf(subjects, seed, index);
    tell({ type: 'begin', index, title: `${one.subject}, ${one.file}: ${one.how}` });
    largestAllocation();
    const before = process.cpuUsage();
    let error: string | undefined;
    let refused = false;
    try {
      refused = (await one.run()).length > 0;
    } catch (thrown) {
      error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    }
    const { user, system } = process.cpuUsage(before);
    tell({
      type: 'end',
      index,
      milliseconds: (user + system) / 1000,
      allocated: largestAllocation(),
      resident: process.resourceUsage().maxRSS * 1024,
      refused,
      error,
    });
  }
  process.disconnect();
}

process.once('message', (order: Order) => {
  void work(order);
});
