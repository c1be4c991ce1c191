import { writeGraph } from './graph.js';

/** A perceptron with ReLU between its layers: `x` [batch, in] to `logits`. */
export function multilayerPerceptron(widths: readonly number[]): Uint8Array {
  const graph = writeGraph();
  const [inputs = 1, ...layers] = widths;
  let [value, fanIn] = ['x', inputs];
  layers.forEach((fanOut, i) => {
    const weight = graph.weight(`fc${i}.weight`, [fanOut, fanIn], fanIn);
    const bias = graph.weight(`fc${i}.bias`, [fanOut], fanIn);
    value = graph.node('Gemm', [value, weight, bias], { transB: 1 });
    if (i < layers.length - 1) value = graph.node('Relu', [value]);
    fanIn = fanOut;
  });
  return graph.encode({ type: 'float32', shape: [inputs] }, value, [fanIn]);
}
