import type { GraphBuilder } from '../../packages/core/src/graph/builder.js';
import { nodesLeftToCpu } from '../../packages/core/src/lowering/webgpu-kernels.js';
import type { Node } from '../../packages/core/src/onnx/ir.js';

/** The kernels that webgpu lacks for the nodes of a graph, each named once. */
export function kernelsLacking(
  nodes: readonly Node[],
  known: Pick<GraphBuilder, 'values' | 'constant'>,
): readonly string[] {
  return [...new Set(nodesLeftToCpu(nodes, known).map(({ kernel }) => kernel))].sort();
}
