export { decodeModel } from './decode-model.js';
export { encodeModel } from './encode-model.js';
