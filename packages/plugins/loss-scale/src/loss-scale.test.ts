import { testPlugin, tryChain } from '@gradware/core/testing';
import { expect, test } from 'vitest';
import { lossScale } from './loss-scale.js';

test('keeps to the plugin contract', () => testPlugin(lossScale));
test('keeps to it where the scale grows', () =>
  testPlugin(lossScale, { options: { initialScale: 4, growthInterval: 2 } }));

/** The scale before each step, by the rules of torch.amp.GradScaler. */
function reference(steps: readonly boolean[], growthInterval: number): readonly number[] {
  let [scale, tracker] = [1024, 0];
  return steps.map((finite) => {
    const before = scale;
    tracker = finite ? tracker + 1 : 0;
    if (!finite) scale *= 0.5;
    else if (tracker === growthInterval) {
      scale *= 4;
      tracker = 0;
    }
    return before;
  });
}

test('grows and backs off as the scaler of PyTorch', async () => {
  const bad = new Set([3, 4, 9]);
  const finite = Array.from({ length: 14 }, (_, i) => !bad.has(i));
  const options = { initialScale: 1024, growthInterval: 3, growthFactor: 4 };
  const steps = await tryChain(
    [lossScale(options)],
    finite.map((ok) => ({ w: [1, ok ? 0.1 : Number.NaN] })),
  );
  const scales = steps.map(({ metrics }) => metrics['loss-scale.scale']);
  expect(scales).toEqual(reference(finite, 3));
  expect(new Set(scales).size).toBe(4);
  expect(steps.map(({ dropped }) => !dropped)).toEqual(finite);
  expect(steps.at(-1)?.metrics['loss-scale.skipped']).toBe(3);
  expect(steps.at(-1)?.gradients.w).toEqual([1, Math.fround(0.1)]);
});

test('finds a scale at which scaled gradients do not overflow', async () => {
  // Scaled by more than 2^26, these are infinite.
  const given = Array.from({ length: 8 }, () => ({ w: [2 ** 101] }));
  const steps = await tryChain([lossScale({ initialScale: 2 ** 30 })], given.slice(0, 4));
  expect(steps.map(({ dropped }) => dropped)).toEqual([true, true, true, true]);
  expect(steps.at(-1)?.metrics['loss-scale.scale']).toBe(2 ** 27);
});

test('stays where float32 ends', async () => {
  const options = { initialScale: 2 ** 127, growthInterval: 1 };
  const steps = await tryChain([lossScale(options)], [{ w: [1e-30] }, { w: [1e-30] }]);
  expect(steps.map(({ metrics }) => metrics['loss-scale.scale'])).toEqual([2 ** 127, 2 ** 127]);
});

test.each([
  [{ initialScale: 0 }, 'loss-scale.initialScale must be a finite number > 0, not 0'],
  [{ growthFactor: 0.5 }, 'loss-scale.growthFactor must be a finite number >= 1, not 0.5'],
  [{ backoffFactor: 1 }, 'loss-scale.backoffFactor must be a number > 0 and < 1, not 1'],
])('refuses %o', (options, problem) => {
  expect(() => lossScale(options)).toThrow(problem);
});
