import { ortModelIdentifier } from './schema.js';

/** Whether bytes carry the file identifier of ONNX Runtime's own model format: after the place of the root table. */
export function isOrtModel(bytes: Uint8Array): boolean {
  return [...ortModelIdentifier].every((letter, i) => bytes[4 + i] === letter.charCodeAt(0));
}
