import {
  createBench,
  expectNumbers,
  float32,
  floats,
  testPlugin,
  tryChain,
} from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { valueClip } from './value-clip.js';

test('keeps to the plugin contract', () => testPlugin(valueClip, { options: { max: 0.5 } }));
test('keeps to it with a range and the fraction', () =>
  testPlugin(valueClip, { options: { low: -0.1, high: 0.7, reportFraction: true } }));

test('keeps to it with a part of the largest', () =>
  testPlugin(valueClip, { options: { ofLargest: 0.5 } }));

async function clip(plugin: ReturnType<typeof valueClip>, gradient: readonly number[]) {
  const gradients = new Map([['w', float32(gradient)]]);
  const bench = await createBench({ plugins: [plugin], weights: gradients });
  const result = await bench.step(gradients);
  await bench.release();
  const found = result.gradients.get('w');
  return { gradient: found && [...floats(found)], metrics: result.metrics };
}

const infinity = Number.POSITIVE_INFINITY;
const given = [-3, -0.5, 0, 0.25, 4, infinity, -infinity, Number.NaN];

test.each<[Parameters<typeof valueClip>[0], number[], number]>([
  [{ max: 0.5 }, [-0.5, -0.5, 0, 0.25, 0.5, 0.5, -0.5, Number.NaN], 4 / 8],
  [{ low: -1, high: 0.125 }, [-1, -0.5, 0, 0.125, 0.125, 0.125, -1, Number.NaN], 5 / 8],
  [{ low: 0 }, [0, 0, 0, 0.25, 4, infinity, 0, Number.NaN], 3 / 8],
  [{ high: 1 }, [-3, -0.5, 0, 0.25, 1, 1, -infinity, Number.NaN], 2 / 8],
  [{ max: infinity }, given, 0],
  [{ max: (step: number) => 2 - step }, [-2, -0.5, 0, 0.25, 2, 2, -2, Number.NaN], 4 / 8],
])('%o limits every element and keeps NaN', async (options, wanted, fraction) => {
  const { gradient, metrics } = await clip(valueClip({ ...options, reportFraction: true }), given);
  expect(gradient).toEqual(wanted);
  expect(metrics['value-clip.fraction']).toBe(fraction);
});

test('bounds each tensor by a part of its own largest', async () => {
  const plugin = valueClip({ ofLargest: 1 / Math.E, reportFraction: true });
  const given = { a: [-3, 1, 2, -1, 0], b: [0.5, 0.1], c: [7] };
  const [step] = await tryChain([plugin], [given]);
  const bound = 3 / Math.E;
  expectNumbers(step?.gradients ?? {}, {
    a: [-bound, 1, bound, -1, 0],
    b: [0.5 / Math.E, 0.1],
    c: [7 / Math.E],
  });
  expect(step?.metrics['value-clip.fraction']).toBe(4 / 8);
});

test('may be run on one flat vector unless the bound is of each tensor', () => {
  expect(valueClip({ max: 1 }).elementwise).toBe(true);
  expect(valueClip({ ofLargest: 0.5 }).elementwise).toBe(false);
});

test('reports nothing that was not asked for', async () => {
  expect((await clip(valueClip({ max: 1 }), given)).metrics).toEqual({});
});

test.each<[Parameters<typeof valueClip>[0], string]>([
  [{}, 'needs a bound'],
  [{ max: 1, low: 0 }, 'not both'],
  [{ max: 1, ofLargest: 0.5 }, 'not both'],
  [{ ofLargest: 2 }, 'value-clip.ofLargest must be a number > 0 and <= 1, not 2'],
  [{ low: 2, high: 1 }, 'must not be above'],
  [{ max: -1 }, 'value-clip.max must be a number > 0, not -1'],
  [{ low: Number.NaN }, 'value-clip.low must be a number, not NaN'],
])('refuses %o', (options, problem) => {
  expect(() => valueClip(options)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(problem) }),
  );
});
