import { expect, test } from 'vitest';
import { runtimeFailure } from './failures.js';

test.each([
  ['SafeInt<>::SafeIntOnOverflow() Integer overflow', 'OUT_OF_MEMORY'],
  ['std::bad_alloc', 'OUT_OF_MEMORY'],
  ['webgpu device lost (unknown)', 'DEVICE_LOST'],
  ['Buffer size exceeds the max buffer size limit', 'UNSUPPORTED'],
])('what "%s" means', (reason, code) => {
  const failure = runtimeFailure('ONNX Runtime failed in a step', new Error(reason));
  expect(failure).toMatchObject({ code, problem: expect.stringContaining(reason) });
  expect(failure.remedy).toBeDefined();
});
