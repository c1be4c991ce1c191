import { type DecodeOptions, decodeOnnxModel } from './decode-model.js';
import type { Model } from './ir.js';
import { decodeOrtModel } from './ort-format/decode.js';
import { isOrtModel } from './ort-format/identifier.js';
import { validateModel } from './validate.js';

/** The model in the bytes of an ONNX file (.onnx), or of one in ONNX Runtime's own format (.ort).
 *  @throws GradwareError INVALID_MODEL, UNSUPPORTED, FILE, as `decodeOnnxModel` */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const { file = 'the model' } = options;
  return isOrtModel(bytes)
    ? validateModel(decodeOrtModel(bytes, file), file)
    : decodeOnnxModel(bytes, options);
}
