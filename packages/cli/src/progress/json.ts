import { createRate } from './rate.js';
import type { Reporter } from './reporter.js';

export type JsonLine = Readonly<Record<string, unknown>> & { readonly event: string };

/** One JSON object a line; numbers that JSON does not have become null. */
export function jsonLine(line: JsonLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** @param every steps between two lines of metrics */
export function jsonReporter(
  write: (text: string) => void,
  every: number,
  now: () => number = () => performance.now(),
): Reporter {
  const rate = createRate(now);
  return {
    start(info) {
      write(jsonLine({ event: 'start', ...info }));
      rate.pause();
    },
    warning: (message) => write(jsonLine({ event: 'warning', message })),
    steps({ position, step, result }, learningRate) {
      const count = result.losses.length;
      rate.add(count);
      for (let i = 0; i < count; i++) {
        const made = step - count + i + 1;
        if (made % every !== 0) continue;
        const metrics = Object.entries(result.metrics).map(([name, values]) => [name, values[i]]);
        write(
          jsonLine({
            event: 'metrics',
            epoch: position.epoch + 1,
            step: made,
            loss: result.losses[i],
            learningRate: learningRate(made - 1),
            metrics: Object.fromEntries(metrics),
            dropped: result.dropped[i] ?? false,
            stepsPerSecond: rate.perSecond ?? null,
          }),
        );
      }
    },
    epoch({ epoch, step, loss, metrics, validation, seconds }, checkpoint) {
      const line = { event: 'epoch', epoch: epoch + 1, step, loss, metrics, validation, seconds };
      write(jsonLine({ ...line, checkpoint }));
      rate.pause();
    },
    end: (info) => write(jsonLine({ event: 'end', ...info })),
    close: () => {},
  };
}
