import type { InferenceSessionFactory, TensorConstructor } from 'onnxruntime-common';
import { filled } from '../graph/constants.js';
import { blockedDomain } from '../graph/dialect.js';
import { modelOf } from '../graph/model.js';
import { encodeModel } from '../onnx/encode-model.js';
import type { ValueInfo } from '../onnx/ir.js';
import { toTensor } from './tensors.js';

/** Fewer than any processor's block, and as many as ReorderInput takes at least. */
const few = 4;

/** How many channels ONNX Runtime's convolutions for this processor take at a time: 8 or 16. Shows in what ReorderInput fills a
 *  few channels up to.
 *  @returns undefined where there are no such kernels */
export async function findChannelBlock(
  factory: InferenceSessionFactory,
  Tensor: TensorConstructor,
): Promise<number | undefined> {
  const info = (name: string, channels?: number): ValueInfo => ({
    name,
    type: 'float32',
    shape: channels === undefined ? undefined : [1, channels, 1, 1],
  });
  const node = { name: 'y', opType: 'ReorderInput', domain: blockedDomain, attributes: {} };
  const graph = {
    name: 'channel block',
    nodes: [{ ...node, inputs: ['x'], outputs: ['y'] }],
    inputs: [info('x', few)],
    outputs: [info('y')],
    initializers: new Map(),
    valueInfo: new Map(),
  };
  const model = encodeModel(modelOf(graph, new Map([[blockedDomain, 1]])));
  const session = await factory
    .create(model, { executionProviders: ['cpu'], logSeverityLevel: 4 })
    .catch(() => undefined);
  if (session === undefined) return undefined;
  try {
    const { y } = await session.run({ x: toTensor(Tensor, filled('float32', [1, few, 1, 1], 0)) });
    const block = y?.dims[1] ?? few;
    return block > few ? block : undefined;
  } catch {
    return undefined;
  } finally {
    await session.release().catch(() => undefined);
  }
}
