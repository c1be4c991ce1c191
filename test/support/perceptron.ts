import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { modelWriter } from './forward-models.js';

/** The bytes of a forward model of layers of these sizes, with Relu between them: x [B, first] to y [B, last]. */
export function perceptron(sizes: readonly number[]): Uint8Array {
  const { weight, add, model } = modelWriter();
  const [first = 1, ...rest] = sizes;
  let [value, width] = ['x', first];
  rest.forEach((size, i) => {
    const inputs = [value, weight(`w${i}`, [width, size]), weight(`b${i}`, [size], 0.1)];
    const isLast = i === rest.length - 1;
    value = add('Gemm', inputs, {}, isLast ? 'y' : `h${i}`);
    if (!isLast) value = add('Relu', [value]);
    width = size;
  });
  return encodeModel(model(['batch', first], ['batch', width]));
}
