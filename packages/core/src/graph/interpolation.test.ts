import { expect, test } from 'vitest';
import { type Interpolation, interpolationMatrix, repetition } from './interpolation.js';

const plain: Interpolation = {
  input: 2,
  output: 4,
  scale: 2,
  mode: 'linear',
  coordinates: 'half_pixel',
  nearest: 'round_prefer_floor',
  cubicCoefficient: -0.75,
  excludeOutside: false,
  antialias: false,
  region: [0, 1],
};

test('linear interpolation weighs two neighbours by their distance', () => {
  expect([...interpolationMatrix(plain)]).toEqual([1, 0, 0.75, 0.25, 0.25, 0.75, 0, 1]);
  const corners = interpolationMatrix({ ...plain, output: 3, coordinates: 'align_corners' });
  expect([...corners]).toEqual([1, 0, 0.5, 0.5, 0, 1]);
});

test('a nearest neighbour repeats elements where the scale is a whole number', () => {
  const matrix = interpolationMatrix({ ...plain, mode: 'nearest' });
  expect(repetition(matrix, 2, 4)).toBe(2);
  expect(repetition(interpolationMatrix(plain), 2, 4)).toBeUndefined();
  const uneven = interpolationMatrix({ ...plain, mode: 'nearest', output: 3, scale: 1.5 });
  expect(repetition(uneven, 2, 3)).toBeUndefined();
});

test('what lies outside of a crop counts for nothing', () => {
  const crop = { ...plain, coordinates: 'tf_crop_and_resize', output: 2, region: [-1, 1] as const };
  expect([...interpolationMatrix(crop)]).toEqual([0, 0, 0, 1]);
});

test('shrinking with antialias averages the pixels that fall together', () => {
  const matrix = interpolationMatrix({
    ...plain,
    input: 8,
    output: 4,
    scale: 0.5,
    antialias: true,
  });
  expect([...matrix.slice(0, 8)]).toEqual([0.5, 0.375, 0.125, 0, 0, 0, 0, 0]);
});
