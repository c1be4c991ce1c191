import { floatsIn } from './checkpoint-tensors.js';
import { checkpointOf, type Desk, demandRun } from './desk.js';
import { histogramOf } from './histogram.js';
import { seenKey } from './probe.js';

/** Milliseconds between two histograms. */
const pause = 400;

/** The histogram of gradients, taken from what the probes around the chain remember. */
export interface Watch {
  /** Which parameter is looked at; all where undefined. */
  choose(parameter: string | undefined): void;
  /** @param force even if the last look was a moment ago */
  look(force: boolean): Promise<void>;
}

export function createWatch(desk: Desk): Watch {
  let chosen: string | undefined;
  let lastAt = 0;
  return {
    choose(parameter) {
      chosen = parameter;
    },
    async look(force) {
      const run = demandRun(desk);
      if (!run.config.watch || (!force && performance.now() - lastAt < pause)) return;
      const checkpoint = await checkpointOf(run);
      const names = chosen === undefined ? run.session.trainableNames : [chosen];
      const seen = (side: 'before' | 'after') =>
        floatsIn(
          checkpoint,
          names.map((name) => seenKey(side, name)),
        ).values();
      desk.emit({ type: 'histogram', histogram: histogramOf(seen('before'), seen('after')) });
      lastAt = performance.now();
    },
  };
}
