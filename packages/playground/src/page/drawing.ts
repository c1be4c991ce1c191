import { effect, signal } from '@preact/signals';
import type { Prediction } from '../shared/protocol.js';
import { rasterize, type Stroke } from './digits/rasterize.js';
import { drawn, opened, worker } from './store.js';

/** The drawing, in parts of the pad's side. */
export const strokes = signal<readonly Stroke[]>([]);
/** An image of the test set in place of a drawing. */
export const example = signal<
  { readonly pixels: readonly number[]; readonly label: number } | undefined
>(undefined);
/** The 64 pixels that the model sees. */
export const pixels = signal<readonly number[] | undefined>(undefined);
export const prediction = signal<Prediction | undefined>(undefined);

effect(() => {
  if (example.value !== undefined) pixels.value = example.value.pixels;
  else pixels.value = strokes.value.length > 0 ? rasterize(strokes.value) : undefined;
});

let asking = false;
let again = false;

async function ask(): Promise<void> {
  if (asking) {
    again = true;
    return;
  }
  const image = pixels.peek();
  if (image === undefined || opened.peek()?.draws !== true) {
    prediction.value = undefined;
    return;
  }
  asking = true;
  try {
    prediction.value = await worker.predict(image);
  } catch {
    // The model is being exchanged: the next one is asked again.
    prediction.value = undefined;
  }
  asking = false;
  if (again) {
    again = false;
    void ask();
  }
}

effect(() => {
  void pixels.value;
  void opened.value;
  void ask();
});

/** While it trains, the model changes its mind. */
const every = 500;
let last = 0;
drawn.subscribe(() => {
  const now = performance.now();
  if (now - last < every) return;
  last = now;
  void ask();
});

export function clearDrawing(): void {
  strokes.value = [];
  example.value = undefined;
}

export async function showExample(): Promise<void> {
  const index = Math.floor(Math.random() * (opened.value?.testExamples ?? 1));
  const found = await worker.example(index);
  strokes.value = [];
  example.value = found;
}
