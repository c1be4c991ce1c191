import { encodeModel, type Node, tensorOf } from '@gradware/core/testing';

/** Uniform in ±√(1 / fan in), as torch.nn.Linear starts; the same numbers every time. */
function uniform(length: number, fanIn: number, seed: number): number[] {
  const bound = Math.sqrt(1 / fanIn);
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state / 2 ** 32) * 2 - 1) * bound;
  });
}

/** A perceptron with ReLU between its layers, as the bytes of an .onnx file: `x` [batch, in] to `logits`. */
export function multilayerPerceptron(widths: readonly number[]): Uint8Array {
  const nodes: Node[] = [];
  const initializers = new Map<string, ReturnType<typeof tensorOf>>();
  const layers = widths.length - 1;
  let from = 'x';
  for (let layer = 0; layer < layers; layer++) {
    const [fanIn = 1, fanOut = 1] = widths.slice(layer, layer + 2);
    const [weight, bias] = [`fc${layer}.weight`, `fc${layer}.bias`];
    initializers.set(
      weight,
      tensorOf('float32', uniform(fanIn * fanOut, fanIn, layer), [fanOut, fanIn]),
    );
    initializers.set(bias, tensorOf('float32', uniform(fanOut, fanIn, layer + layers)));
    const last = layer === layers - 1;
    const to = last ? 'logits' : `h${layer}`;
    nodes.push({
      name: `fc${layer}`,
      opType: 'Gemm',
      domain: '',
      inputs: [from, weight, bias],
      outputs: [to],
      attributes: { transB: { type: 'int', value: 1 } },
    });
    from = last ? to : `a${layer}`;
    if (!last)
      nodes.push({
        name: `relu${layer}`,
        opType: 'Relu',
        domain: '',
        inputs: [to],
        outputs: [from],
        attributes: {},
      });
  }
  return encodeModel({
    graph: {
      name: 'perceptron',
      nodes,
      inputs: [{ name: 'x', type: 'float32', shape: ['batch', widths[0] ?? 1] }],
      outputs: [{ name: 'logits', type: 'float32', shape: ['batch', widths.at(-1) ?? 1] }],
      initializers,
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-bench',
  });
}
