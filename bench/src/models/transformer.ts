import { type GraphWriter, writeGraph } from './graph.js';

export interface TransformerSize {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly length: number;
  readonly tokens: number;
}

/** A causal decoder with norms before its layers and GELU between their products, as PyTorch exports it:
 *  `x` int64 [batch, length] to `logits` [batch, length, tokens]. */
export function transformerDecoder(size: TransformerSize): Uint8Array {
  const { layers, width, length, tokens } = size;
  const graph = writeGraph();
  const embedding = graph.weight('token', [tokens, width], 1);
  const position = graph.weight('position', [length, width], 1);
  let x = graph.node('Add', [graph.node('Gather', [embedding, 'x']), position]);
  for (let layer = 0; layer < layers; layer++) {
    const name = `layer${layer}`;
    const attended = attention(
      graph,
      `${name}.attention`,
      norm(graph, `${name}.norm1`, x, width),
      size,
    );
    x = graph.node('Add', [x, attended]);
    const up = linear(
      graph,
      `${name}.up`,
      norm(graph, `${name}.norm2`, x, width),
      width,
      4 * width,
    );
    x = graph.node('Add', [x, linear(graph, `${name}.down`, gelu(graph, up), 4 * width, width)]);
  }
  const logits = linear(graph, 'head', norm(graph, 'norm', x, width), width, tokens);
  return graph.encode({ type: 'int64', shape: [length] }, logits, [length, tokens]);
}

function linear(graph: GraphWriter, name: string, x: string, from: number, to: number): string {
  const product = graph.node('MatMul', [x, graph.weight(`${name}.weight`, [from, to], from)]);
  return graph.node('Add', [graph.weight(`${name}.bias`, [to], from), product]);
}

function norm(graph: GraphWriter, name: string, x: string, width: number): string {
  const scale = graph.filled(`${name}.weight`, [width], 1);
  return graph.node('LayerNormalization', [x, scale, graph.filled(`${name}.bias`, [width], 0)], {
    epsilon: 1e-5,
  });
}

function gelu(graph: GraphWriter, x: string): string {
  const erf = graph.node('Erf', [graph.node('Div', [x, graph.number(Math.SQRT2)])]);
  const twice = graph.node('Mul', [x, graph.node('Add', [erf, graph.number(1)])]);
  return graph.node('Mul', [twice, graph.number(0.5)]);
}

function attention(
  graph: GraphWriter,
  name: string,
  x: string,
  { width, heads, length }: TransformerSize,
): string {
  const all = linear(graph, `${name}.inner`, x, width, 3 * width);
  const perHead = graph.ints([0, 0, heads, width / heads]);
  const [q, k, v] = ['query', 'key', 'value'].map((_, i) => {
    const ends = [graph.ints([i * width]), graph.ints([(i + 1) * width])] as const;
    const part = graph.node('Slice', [all, ...ends, graph.ints([2])]);
    return graph.node('Reshape', [part, perHead]);
  }) as [string, string, string];
  const rows = (value: string) => graph.node('Transpose', [value], { perm: [0, 2, 1, 3] });
  const columns = graph.node('Transpose', [k], { perm: [0, 2, 3, 1] });
  const scores = graph.node('MatMul', [rows(q), columns]);
  const scaled = graph.node('Div', [scores, graph.number(Math.sqrt(width / heads))]);
  const later = Array.from({ length: length * length }, (_, i) =>
    i % length > Math.floor(i / length) ? 1 : 0,
  );
  const mask = graph.node('Cast', [graph.ints(later, [1, 1, length, length])], { to: 9 });
  const masked = graph.node('Where', [mask, graph.number(Number.NEGATIVE_INFINITY), scaled]);
  const weights = graph.node('Softmax', [masked], { axis: -1 });
  const mixed = rows(graph.node('MatMul', [weights, rows(v)]));
  const joined = graph.node('Reshape', [mixed, graph.ints([0, 0, width])]);
  return linear(graph, `${name}.outer`, joined, width, width);
}
