import { testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { zClip } from './z-clip.js';

test('keeps to the plugin contract', () => testPlugin(zClip));
test.each(['adaptive', 'mean'] as const)('keeps to it after a short warm-up, to %s', (to) =>
  testPlugin(zClip, { options: { warmup: 2, zMax: 0.5, to } }),
);

/** The paper's algorithm in float64: warm-up, then one norm after the other. Returns the norms after clipping. */
function reference(norms: readonly number[], to: 'adaptive' | 'mean'): readonly number[] {
  const [alpha, zMax, warmup] = [0.9, 2, 4];
  const start = norms.slice(0, warmup);
  let mean = start.reduce((sum, x) => sum + x, 0) / warmup;
  let variance = start.reduce((sum, x) => sum + (x - mean) ** 2, 0) / warmup;
  const rest = norms.slice(warmup).map((norm) => {
    const deviation = Math.sqrt(variance);
    const z = (norm - mean) / (deviation + 1e-6);
    const limit = to === 'mean' ? mean : mean + (zMax * deviation) / (z / zMax);
    const clipped = z > zMax ? limit : norm;
    mean = alpha * mean + (1 - alpha) * clipped;
    variance = alpha * variance + (1 - alpha) * (clipped - mean) ** 2;
    return clipped;
  });
  return [...start, ...rest];
}

const norms = [1, 1.5, 0.5, 1.2, 1.1, 40, 0.9, 3, 0.1, 1000, 1.4, 1.3, 2, 1];

test.each(['adaptive', 'mean'] as const)("follows the paper's algorithm to %s", async (to) => {
  const plugin = zClip({ decay: 0.9, zMax: 2, warmup: 4, to });
  const steps = await tryChain(
    [plugin],
    norms.map((norm) => ({ a: [0.6 * norm], b: [0.8 * norm, 0] })),
  );
  const found = steps.map(({ gradients }) => Math.hypot(...Object.values(gradients).flat()));
  reference(norms, to).forEach((wanted, i) => {
    expect(Math.abs((found[i] as number) / wanted - 1), `step ${i}`).toBeLessThan(5e-6);
  });
  expect(found.filter((norm, i) => norm < 0.99 * (norms[i] as number)).length).toBeGreaterThan(2);
  expect(steps[5]?.metrics['z-clip.norm']).toBeCloseTo(40, 4);
  expect(steps[5]?.metrics['z-clip.clipped-norm']).toBeCloseTo(found[5] as number, 4);
  expect(steps[5]?.metrics['z-clip.z']).toBeGreaterThan(50);
});

test('learns nothing from a norm that is not finite, and does not hide it', async () => {
  const given = [1, 2, 3, 4, Number.NaN, Number.POSITIVE_INFINITY];
  const steps = await tryChain(
    [zClip({ warmup: 3 })],
    given.map((norm) => ({ w: [norm] })),
  );
  expect(steps.slice(-2).map(({ gradients }) => gradients.w)).toEqual([[Number.NaN], [Number.NaN]]);
  const state = (i: number) =>
    Object.entries(steps[i]?.state ?? {}).filter(([key]) => key.startsWith('plugin/'));
  expect(state(5)).toEqual(state(3));
});

test('refuses what makes no sense', () => {
  expect(() => zClip({ zMax: 0 })).toThrow('z-clip.zMax must be a number > 0, not 0');
  expect(() => zClip({ decay: 1 })).toThrow('z-clip.decay must be a number >= 0 and < 1, not 1');
});
