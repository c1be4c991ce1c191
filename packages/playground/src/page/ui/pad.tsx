import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Point, Stroke } from '../digits/rasterize.js';
import { example, strokes } from '../drawing.js';
import { colorOf, theme } from '../theme.js';
import { announce } from './announce.js';

/** The side of the canvas, in its own pixels. */
const side = 512;
const penWidth = 34;
/** How far an arrow key moves the pen, in parts of the side. */
const keyStep = 1 / 16;

const arrows: Readonly<Record<string, Point>> = {
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
};

interface Pen extends Point {
  readonly down: boolean;
}

function paint(canvas: HTMLCanvasElement, drawing: readonly Stroke[], pen: Pen | undefined): void {
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.clearRect(0, 0, side, side);
  const shown = example.value;
  context.fillStyle = colorOf('--ink');
  shown?.pixels.forEach((ink, i) => {
    const cell = side / 8;
    context.globalAlpha = ink;
    context.fillRect((i % 8) * cell, Math.floor(i / 8) * cell, cell - 2, cell - 2);
  });
  context.globalAlpha = 1;
  context.strokeStyle = colorOf('--ink');
  context.lineWidth = penWidth;
  context.lineCap = 'round';
  context.lineJoin = 'round';
  for (const stroke of drawing) {
    context.beginPath();
    const [first] = stroke;
    if (first !== undefined) context.moveTo(first.x * side, first.y * side);
    for (const { x, y } of stroke) context.lineTo(x * side, y * side);
    context.stroke();
  }
  if (pen === undefined) return;
  context.beginPath();
  context.arc(pen.x * side, pen.y * side, penWidth / 2, 0, 2 * Math.PI);
  context.lineWidth = 4;
  context.strokeStyle = colorOf(pen.down ? '--accent' : '--muted');
  context.stroke();
}

/** A pad to draw on, with mouse, pen, finger or keys. */
export function Pad() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const pen = useSignal<Pen | undefined>(undefined);
  const focused = useSignal(false);
  const look = theme.value;
  const [drawing, cursor, shown] = [
    strokes.value,
    focused.value ? pen.value : undefined,
    example.value,
  ];
  useLayoutEffect(() => {
    if (canvas.current !== null) paint(canvas.current, drawing, cursor);
  }, [drawing, cursor, shown, look]);

  const placeOf = ({ clientX, clientY }: PointerEvent, element: HTMLElement): Point => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return { x: (clientX - left) / width, y: (clientY - top) / height };
  };
  const begin = (point: Point) => {
    example.value = undefined;
    strokes.value = [...strokes.value, [point]];
  };
  const extend = (points: readonly Point[]) => {
    const last = strokes.value.at(-1) ?? [];
    strokes.value = [...strokes.value.slice(0, -1), [...last, ...points]];
  };

  const onKey = (event: KeyboardEvent) => {
    const { x, y, down } = pen.value ?? { x: 0.5, y: 0.5, down: false };
    const arrow = arrows[event.key];
    const bound = (value: number) => Math.min(0.95, Math.max(0.05, value));
    if (arrow !== undefined) {
      const next = { x: bound(x + keyStep * arrow.x), y: bound(y + keyStep * arrow.y) };
      pen.value = { ...next, down };
      if (down) extend([next]);
    } else if (event.key === ' ' || event.key === 'Enter') {
      pen.value = { x, y, down: !down };
      if (!down) begin({ x, y });
      announce(down ? 'Pen up' : 'Pen down');
    } else if (event.key === 'Backspace' || event.key === 'Delete') {
      strokes.value = strokes.value.slice(0, -1);
      pen.value = { x, y, down: false };
    } else return;
    event.preventDefault();
  };

  return (
    <div class="pad" role="application" aria-label="Drawing pad">
      <canvas
        ref={canvas}
        width={side}
        height={side}
        tabIndex={0}
        aria-label="Drawing: arrow keys move the pen, Space puts it down and lifts it, Backspace takes the last stroke away"
        onFocus={() => {
          focused.value = canvas.current?.matches(':focus-visible') === true;
          pen.value ??= { x: 0.5, y: 0.25, down: false };
        }}
        onBlur={() => {
          focused.value = false;
        }}
        onKeyDown={onKey}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          begin(placeOf(event, event.currentTarget));
        }}
        onPointerMove={(event) => {
          if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
          const between = event.getCoalescedEvents?.() ?? [];
          const all = between.length > 0 ? between : [event];
          extend(all.map((one) => placeOf(one, event.currentTarget)));
        }}
      />
      {drawing.length === 0 && shown === undefined && <p class="ghost">draw here, 0 to 9</p>}
    </div>
  );
}
