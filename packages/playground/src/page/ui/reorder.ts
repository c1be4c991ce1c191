import { signal } from '@preact/signals';
import type { RefObject } from 'preact';

/** What is dragged, how far, and where it would land. */
export interface Dragged {
  readonly from: number;
  readonly to: number;
  readonly by: number;
  readonly height: number;
}

export const dragged = signal<Dragged | undefined>(undefined);

export interface Reorder {
  start(index: number, event: PointerEvent): void;
}

/** Dragging the items of a list by a handle: with mouse, pen and finger alike. */
export function useReorder(
  list: RefObject<HTMLElement | null>,
  move: (from: number, to: number) => void,
): Reorder {
  return {
    start(from, event) {
      if (event.button !== 0) return;
      const items = [...(list.current?.children ?? [])].map((item) => item.getBoundingClientRect());
      const own = items[from];
      if (own === undefined) return;
      event.preventDefault();
      const handle = event.currentTarget as HTMLElement;
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      const begin = event.clientY;
      const height = own.height + 12;
      const onMove = (moved: PointerEvent) => {
        const by = moved.clientY - begin;
        // The edge that goes ahead: an open item is much higher than a closed one.
        const edge = by < 0 ? own.top + by : own.bottom + by;
        const others = items.filter((_, i) => i !== from);
        const to = others.filter((item) => item.top + item.height / 2 < edge).length;
        dragged.value = { from, to, by, height };
      };
      const onEnd = (ended: PointerEvent) => {
        const { to } = dragged.value ?? { to: from };
        dragged.value = undefined;
        handle.removeEventListener('pointermove', onMove);
        handle.removeEventListener('pointerup', onEnd);
        handle.removeEventListener('pointercancel', onEnd);
        if (ended.type === 'pointerup') move(from, to);
      };
      handle.addEventListener('pointermove', onMove);
      handle.addEventListener('pointerup', onEnd);
      handle.addEventListener('pointercancel', onEnd);
    },
  };
}

/** How far an item is shown from its place while another is dragged. */
export function shiftOf(index: number, { from, to, by, height }: Dragged): number {
  if (index === from) return by;
  if (index > from && index <= to) return -height;
  if (index < from && index >= to) return height;
  return 0;
}
