import $protobuf from 'protobufjs/minimal.js';
import { GradwareError } from '../errors.js';

/** How other kinds of file begin that people give in place of a model, and what they should do. */
const lookalikes: readonly { at: number; text: string; problem: string; remedy: string }[] = [
  {
    at: 0,
    text: 'version https://git-lfs',
    problem: 'This is a pointer of Git LFS, not the model itself',
    remedy: 'Fetch the file with "git lfs pull".',
  },
  {
    at: 0,
    text: 'PK\u0003\u0004',
    problem: 'This is a zip archive, not an ONNX model',
    remedy: 'Unpack it, or export the model as ONNX (PyTorch: torch.onnx.export).',
  },
  {
    at: 4,
    text: 'ODTC',
    problem: 'This is a training checkpoint, not a model',
    remedy: 'Give the .onnx file that belongs to it.',
  },
];

const startsWith = (bytes: Uint8Array, text: string, at: number): boolean =>
  bytes.byteLength >= at + text.length &&
  Array.from(text).every((char, i) => bytes[at + i] === char.charCodeAt(0));

/** A reader of ONNX messages over bytes; strings and byte fields are views of them.
 *  @throws GradwareError INVALID_MODEL for an empty file and for other well-known formats. */
export function modelReader(bytes: Uint8Array, file: string): $protobuf.Reader {
  if (bytes.byteLength === 0) {
    throw new GradwareError('INVALID_MODEL', 'The file is empty', {
      where: file,
      remedy: 'Export or download it again.',
    });
  }
  const other = lookalikes.find(({ at, text }) => startsWith(bytes, text, at));
  if (other !== undefined) {
    throw new GradwareError('INVALID_MODEL', other.problem, { where: file, remedy: other.remedy });
  }
  // A plain view: the fields of a Node Buffer would be Buffers too.
  const reader = $protobuf.Reader.create(
    new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  );
  reader.discardUnknown = true;
  return reader;
}
