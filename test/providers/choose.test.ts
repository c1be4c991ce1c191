import { nodeRuntime, TrainingSession } from '@gradware/core/node';
import { expect, test, vi } from 'vitest';

const artifacts = new URL('../../models/digits/artifacts/mlp', import.meta.url);
const noCuda = nodeRuntime.missing?.('cuda');

test.skipIf(noCuda === undefined)('says what CUDA needs where it is not', async () => {
  const opening = TrainingSession.create(artifacts, { executionProviders: ['cuda'] });
  await expect(opening).rejects.toMatchObject({
    code: 'RUNTIME',
    problem: `No execution provider works: cuda: ${noCuda}`,
    remedy: expect.stringMatching(
      /NVIDIA driver, CUDA 12 and cuDNN 9.*--onnxruntime-node-install=cuda12/,
    ),
  });
});

test.skipIf(noCuda === undefined)('takes the next one, and says why not CUDA', async () => {
  const written = vi.spyOn(process.stderr, 'write');
  const session = await TrainingSession.create(artifacts, { executionProviders: ['cuda', 'cpu'] });
  expect(session.execution).toMatchObject({ provider: 'cpu', refused: [`cuda: ${noCuda}`] });
  expect(session.execution.description).toContain(`not cuda: ${noCuda}`);
  expect(written).not.toHaveBeenCalled();
  written.mockRestore();
  await session.release();
});
