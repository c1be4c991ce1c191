import { type GraphWriter, writeGraph } from './graph.js';

const blocks = [3, 4, 6, 3];
const expansion = 4;

/** ResNet-50 (He et al. 2015), 25.6 million parameters: `x` [batch, 3, size, size] to 1,000 `logits`. */
export function resNet50(size: number): Uint8Array {
  const graph = writeGraph();
  const stem = graph.node('Relu', [convolution(graph, 'conv1', 'x', 3, 64, 7, 2)]);
  let x = graph.node('MaxPool', [stem], {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  });
  let channels = 64;
  blocks.forEach((count, stage) => {
    const width = 64 * 2 ** stage;
    for (let i = 0; i < count; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      x = bottleneck(graph, `layer${stage + 1}.${i}`, x, channels, width, stride);
      channels = width * expansion;
    }
  });
  const pooled = graph.node('Flatten', [graph.node('GlobalAveragePool', [x])]);
  const logits = graph.node(
    'Gemm',
    [
      pooled,
      graph.weight('fc.weight', [1000, channels], channels),
      graph.weight('fc.bias', [1000], channels),
    ],
    { transB: 1 },
  );
  return graph.encode({ type: 'float32', shape: [3, size, size] }, logits, [1000]);
}

/** A convolution and its batch norm. */
function convolution(
  graph: GraphWriter,
  name: string,
  x: string,
  inputs: number,
  outputs: number,
  kernel: number,
  stride: number,
): string {
  const dims = [outputs, inputs, kernel, kernel];
  const weight = graph.weight(`${name}.weight`, dims, inputs * kernel * kernel);
  const pad = (kernel - 1) / 2;
  const y = graph.node('Conv', [x, weight], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [pad, pad, pad, pad],
  });
  const statistics = [1, 0, 0, 1].map((value, i) =>
    graph.filled(`${name}.bn${i}`, [outputs], value),
  );
  return graph.node('BatchNormalization', [y, ...statistics]);
}

function bottleneck(
  graph: GraphWriter,
  name: string,
  x: string,
  inputs: number,
  width: number,
  stride: number,
): string {
  const outputs = width * expansion;
  const first = graph.node('Relu', [convolution(graph, `${name}.1`, x, inputs, width, 1, 1)]);
  const second = graph.node('Relu', [
    convolution(graph, `${name}.2`, first, width, width, 3, stride),
  ]);
  const third = convolution(graph, `${name}.3`, second, width, outputs, 1, 1);
  const short =
    inputs === outputs && stride === 1
      ? x
      : convolution(graph, `${name}.short`, x, inputs, outputs, 1, stride);
  return graph.node('Relu', [graph.node('Add', [third, short])]);
}
