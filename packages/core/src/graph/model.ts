import type { Graph, Model } from '../onnx/ir.js';
import { irVersion, opset } from './opset.js';

/** A model of one graph, in the opset that graphs are written in. */
export function modelOf(graph: Graph): Model {
  return {
    graph,
    opsets: new Map([
      ['', opset],
      ['com.microsoft', 1],
    ]),
    irVersion,
    functions: [],
    metadata: new Map(),
    producer: 'gradware',
  };
}
