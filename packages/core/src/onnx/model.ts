export { decodeModel } from './decode-any-model.js';
export { encodeModel } from './encode-model.js';
