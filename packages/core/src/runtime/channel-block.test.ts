import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { findChannelBlock } from './channel-block.js';

test('a block has 8 or 16 channels; there may be none but on x64', async () => {
  const block = await findChannelBlock(InferenceSession, Tensor);
  expect(process.arch === 'x64' ? [8, 16] : [undefined, 8, 16]).toContain(block);
});

test('an ONNX Runtime without such kernels has none', async () => {
  const refusing = {
    create: () =>
      Promise.reject(new Error('com.microsoft.nchwc:ReorderInput(-1) is not a registered op')),
  };
  expect(await findChannelBlock(refusing, Tensor)).toBeUndefined();
});
