/** A point of a drawing, in any unit. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

export type Stroke = readonly Point[];

/** The bitmaps that the data set was made from are 32 x 32, of digits that fill them from top to bottom. */
const bitmapSize = 32;
/** Half of the width of a pen stroke in such a bitmap. */
const radius = 2.3;
const cells = 8;
const cellSize = bitmapSize / cells;

/** The digits of the data are no wider than this. */
const widest = 24;

/** Moves and scales a drawing so that it fills the bitmap, as the program of NIST did that made the data: from top to
 *  bottom, in the middle, and a little narrower where it is wide. A dash stays a dash. */
export function normalize(strokes: readonly Stroke[]): readonly Stroke[] {
  const points = strokes.flat();
  if (points.length === 0) return [];
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  const room = bitmapSize - 2 * radius;
  const largest = Math.max(right - left, bottom - top);
  const scale = largest > 0 ? room / largest : 0;
  const scaleX = Math.min(scale, (widest - 2 * radius) / Math.max(right - left, 1e-9));
  const scaleY = Math.min(room / Math.max(bottom - top, 1e-9), 1.5 * scale);
  const middle = bitmapSize / 2;
  return strokes.map((stroke) =>
    stroke.map(({ x, y }) => ({
      x: middle + (x - (left + right) / 2) * scaleX,
      y: middle + (y - (top + bottom) / 2) * scaleY,
    })),
  );
}

function distance(px: number, py: number, a: Point, b: Point): number {
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const t =
    length === 0 ? 0 : Math.min(1, Math.max(0, ((px - a.x) * dx + (py - a.y) * dy) / length));
  return Math.hypot(px - a.x - t * dx, py - a.y - t * dy);
}

/** Pixels of the bitmap that a pen covers: 1, or 0. */
function bitmapOf(strokes: readonly Stroke[]): Uint8Array {
  const bitmap = new Uint8Array(bitmapSize * bitmapSize);
  for (const stroke of strokes)
    stroke.forEach((point, i) => {
      const from = stroke[i - 1] ?? point;
      for (let row = 0; row < bitmapSize; row++)
        for (let column = 0; column < bitmapSize; column++)
          if (distance(column + 0.5, row + 0.5, from, point) <= radius)
            bitmap[row * bitmapSize + column] = 1;
    });
  return bitmap;
}

/** A drawing as the UCI data set has its digits: how many pixels of each 4 x 4 block of the bitmap are ink, divided by
 *  16. 64 numbers from 0 (paper) to 1 (ink), row by row. */
export function rasterize(strokes: readonly Stroke[]): readonly number[] {
  const bitmap = bitmapOf(normalize(strokes));
  return Array.from({ length: cells * cells }, (_, cell) => {
    const [row, column] = [Math.floor(cell / cells) * cellSize, (cell % cells) * cellSize];
    let ink = 0;
    for (let i = 0; i < cellSize; i++)
      for (let j = 0; j < cellSize; j++) ink += bitmap[(row + i) * bitmapSize + column + j] ?? 0;
    return ink / cellSize ** 2;
  });
}
