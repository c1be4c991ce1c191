import { expect, test } from 'vitest';
import { checkGradient, compareWithOrt, usesTrainingOps } from './check-gradients.js';

test('a gradient that misses part of the way is found', async () => {
  const { mismatches } = await checkGradient({
    op: 'x less its own value, which comes through integers and so without a gradient',
    inputs: [[4]],
    build(op, [x]) {
      const integers = op.Cast(op.Mul(x, 1e9), { to: 7 });
      return op.Sub(x, op.Div(op.Cast(integers, { to: 11 }), 1e9));
    },
  });
  expect(mismatches).toHaveLength(1);
  expect(Math.abs(mismatches[0]?.numeric ?? 1)).toBeLessThan(0.01);
});

test('float64 is used where ONNX Runtime has the kernel, else float32', async () => {
  expect((await checkGradient({ op: 'Tanh', inputs: [[3]] })).precision).toBe('float64');
  expect((await checkGradient({ op: 'Erf', inputs: [[3]] })).precision).toBe('float32');
});

test("ORT's training kernels are asked where a gradient is written with them", async () => {
  expect(usesTrainingOps({ op: 'Neg', inputs: [[3]] })).toBe(false);
  const checked = { op: 'Relu', inputs: [[3]] };
  expect(usesTrainingOps(checked)).toBe(true);
  const [pair] = await compareWithOrt(checked);
  expect(pair?.theirs.dims).toEqual([3]);
});
