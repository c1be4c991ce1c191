import { formatNumber, formatRate, formatTime } from './format.js';

export interface BarState {
  /** Counted from 1. */
  readonly epoch: number;
  readonly epochs: number;
  /** Of the whole run, 0 to 1. */
  readonly done: number;
  readonly loss: number | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number | undefined;
  readonly secondsLeft: number | undefined;
}

/** Colours a part of the bar, or leaves it as it is. */
export type Paint = (part: 'done' | 'rest' | 'quiet', text: string) => string;

const [widest, narrowest] = [30, 8];

/** One line of at most `columns` characters. What does not fit is left out: metrics first, then the rate. */
export function renderBar(
  state: BarState,
  columns: number,
  paint: Paint = (_, text) => text,
): string {
  const { epoch, epochs, done, loss, metrics, stepsPerSecond, secondsLeft } = state;
  const head = `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`;
  const percent = `${Math.floor(done * 100)}%`.padStart(4);
  const shown = loss === undefined ? [] : [`loss ${formatNumber(loss)}`];
  const optional = Object.entries(metrics)
    .filter(([, value]) => !Number.isNaN(value))
    .map(([name, value]) => `${name} ${formatNumber(value)}`);
  const rate = stepsPerSecond === undefined ? [] : [`${formatRate(stepsPerSecond)} steps/s`];
  const left = secondsLeft === undefined ? [] : [`${formatTime(secondsLeft)} left`];
  const assemble = (kept: number, withRate: boolean) =>
    [...shown, ...optional.slice(0, kept), ...(withRate ? rate : []), ...left].join('  ');
  const space = columns - head.length - percent.length - narrowest - 4;
  let kept = optional.length;
  while (kept > 0 && assemble(kept, true).length > space) kept--;
  const tail = [assemble(kept, true), assemble(0, false), ''].find((text) => text.length <= space);
  const room = columns - head.length - percent.length - (tail ?? '').length - 4;
  const width = Math.min(widest, Math.max(0, room));
  const filled = Math.round(width * Math.min(1, done));
  const bar = paint('done', '━'.repeat(filled)) + paint('rest', '─'.repeat(width - filled));
  return `${head} ${bar} ${percent}  ${paint('quiet', tail ?? '')}`.trimEnd();
}
