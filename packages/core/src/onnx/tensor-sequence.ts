import $protobuf from 'protobufjs/minimal.js';
import { GradwareError } from '../errors.js';
import { onnx } from './generated/messages.js';
import type { TensorData } from './ir.js';
import { decodeTensor } from './tensor-proto.js';

/** How a TensorProto can begin: with its dims (single or packed), its type, its name or its bytes. */
const firstTags: ReadonlySet<number> = new Set([0x08, 0x0a, 0x10, 0x42, 0x4a]);

/** Whether bytes begin as a sequence of tensors does (.pbseq): a count, a length, a tensor. The format has no mark. */
export function isTensorSequence(bytes: Uint8Array): boolean {
  const reader = readerOf(bytes);
  try {
    const count = reader.uint32();
    const length = reader.uint32();
    const fits = count > 0 && count <= bytes.byteLength && length <= bytes.byteLength - reader.pos;
    return fits && firstTags.has(bytes[reader.pos] ?? 0);
  } catch {
    return false;
  }
}

/** The tensors of a .pbseq file by name: a count, then each as its length and an ONNX TensorProto.
 *  @throws GradwareError INVALID_CHECKPOINT for a file that is cut off, too long, or has a name twice or none */
export function decodeTensorSequence(
  bytes: Uint8Array,
  file: string,
): ReadonlyMap<string, TensorData> {
  const reader = readerOf(bytes);
  const invalid = (problem: string, cause?: unknown): never => {
    throw new GradwareError('INVALID_CHECKPOINT', problem, {
      where: `${file}, byte ${reader.pos} of ${bytes.byteLength}`,
      remedy: 'Check that the file was copied or downloaded completely.',
      cause,
    });
  };
  function next(): onnx.TensorProto.$Properties {
    try {
      return onnx.TensorProto.decode(reader, reader.uint32());
    } catch (cause) {
      return invalid('The sequence of tensors is damaged', cause);
    }
  }
  let count: number;
  try {
    count = reader.uint32();
  } catch (cause) {
    return invalid('The sequence of tensors is damaged', cause);
  }
  const tensors = new Map<string, TensorData>();
  for (let i = 0; i < count; i++) {
    const message = next();
    const name = message.name ?? '';
    if (name === '' || tensors.has(name))
      invalid(`Tensor ${i} of the sequence ${name === '' ? 'has no name' : `is "${name}" again`}`);
    tensors.set(name, decodeTensor(message, `${file}, tensor "${name}"`));
  }
  if (reader.pos < bytes.byteLength)
    invalid(`${bytes.byteLength - reader.pos} bytes follow the last of ${count} tensors`);
  return tensors;
}

function readerOf(bytes: Uint8Array): $protobuf.Reader {
  // A plain view: the fields of a Node Buffer would be Buffers too.
  const reader = $protobuf.Reader.create(
    new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  );
  reader.discardUnknown = true;
  return reader;
}
