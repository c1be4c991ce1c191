import { onnx } from '../../packages/core/src/onnx/generated/messages.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { varint } from '../../packages/core/src/onnx/packed.js';
import { encodeTensor } from '../../packages/core/src/onnx/tensor-proto.js';

/** The bytes of a .pbseq file: a count, then each tensor behind its length. */
export function encodeTensorSequence(tensors: Iterable<readonly [string, TensorData]>): Uint8Array {
  const messages = Array.from(tensors, ([name, tensor]) =>
    onnx.TensorProto.encode(encodeTensor(tensor, name)).finish(),
  );
  const parts = messages.flatMap((message) => [varint(message.byteLength), message]);
  return new Uint8Array(Buffer.concat([varint(messages.length), ...parts]));
}
