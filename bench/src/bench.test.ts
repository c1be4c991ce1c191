import { expect, test } from 'vitest';
import { chains } from './chains.js';
import { openSession } from './gradware.js';
import { watchMemory } from './memory.js';
import { formats } from './report.js';
import { figureOf, interleave } from './rounds.js';
import { overhead, speed } from './suite.js';
import { cnn, lstm, mlp, small, transformer } from './workloads.js';

const short = { rounds: 1, steps: 2, warmup: 0, pause: 0 };

test.each([mlp, cnn, lstm, transformer, small])('$title trains either way', async (workload) => {
  const session = await openSession(workload, chains.four, 1);
  expect(await session.one(2)).toBeGreaterThan(0);
  expect(await session.many(2)).toBeGreaterThan(0);
  await session.release();
});

test('a report holds every figure and ratio', async () => {
  const sections = [
    await speed(small, undefined, 1, short, 1.3),
    await overhead(small, undefined, 1, short),
  ];
  const environment = {
    gradware: '0',
    onnxruntime: '0',
    node: '0',
    system: 'none',
    processor: 'none',
    cores: 1,
    threads: 1,
    pytorch: undefined,
    blas: undefined,
  };
  const report = { environment, sections, memory: undefined };
  for (const { title, figures, ratios } of sections) {
    expect(ratios.every(({ value }) => value > 0)).toBe(true);
    for (const part of [title, ...figures.keys(), ...ratios.map(({ name }) => name)]) {
      expect(formats.text(report)).toContain(part);
      expect(formats.markdown(report)).toContain(part);
    }
  }
  expect(JSON.parse(formats.json(report)).sections).toHaveLength(2);
});

test('contenders take turns, in one order and in the other', async () => {
  const turns: string[] = [];
  const named = (name: string, milliseconds: number) => ({
    name,
    run: async () => {
      turns.push(name);
      return milliseconds;
    },
  });
  const figures = await interleave([named('a', 1), named('b', 2)], {
    ...short,
    rounds: 2,
    warmup: 1,
  });
  expect(turns.join('')).toBe('baabba');
  expect(figures.get('b')).toEqual({ median: 2, min: 2, max: 2 });
});

test('a figure has the median', () => {
  expect(figureOf([5, 1, 2])).toEqual({ median: 2, min: 1, max: 5 });
  expect(figureOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
});

test('memory stays flat over ten thousand steps', async () => {
  const { samples } = await watchMemory(small, 10_000, 2_000);
  const [first, ...rest] = samples.map(({ resident }) => resident / 2 ** 20);
  // A leak of one state (26 KB) a step would be 200 MiB.
  expect(Math.max(...rest) - (first ?? 0)).toBeLessThan(64);
}, 60_000);
