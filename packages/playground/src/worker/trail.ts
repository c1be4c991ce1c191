import type { Position } from '@gradware/core';

/** Where in the data training stood after which step: a session that loses its GPU goes back by some steps. */
export interface Trail {
  note(step: number, position: Position): void;
  /** Where training stood after this step; undefined where nobody noted it. */
  at(step: number): Position | undefined;
  clear(): void;
}

/** A session notes its state about once a second, a GPU makes a run of steps in some milliseconds. */
const mostNotes = 4096;

export function createTrail(): Trail {
  const notes = new Map<number, Position>();
  return {
    note(step, position) {
      notes.delete(step);
      notes.set(step, position);
      const [oldest] = notes.keys();
      if (notes.size > mostNotes && oldest !== undefined) notes.delete(oldest);
    },
    at: (step) => notes.get(step),
    clear: () => notes.clear(),
  };
}
