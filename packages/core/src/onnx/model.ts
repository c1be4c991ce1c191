export { type DecodeOptions, decodeModel } from './decode-model.js';
export { encodeModel } from './encode-model.js';
export { validateModel } from './validate.js';
