import type { Graph, Model } from '../onnx/ir.js';
import { irVersion, opset } from './opset.js';

/** A model of one graph, in the opset that graphs are written in.
 *  @param domains what it imports of others */
export function modelOf(graph: Graph, domains: ReadonlyMap<string, number> = new Map()): Model {
  return {
    graph,
    opsets: new Map([['com.microsoft', 1], ...domains, ['', opset]]),
    irVersion,
    functions: [],
    metadata: new Map(),
    producer: 'gradware',
  };
}
