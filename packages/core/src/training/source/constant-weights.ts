import { constantAttribute } from '../../graph/fold.js';
import { elementCount } from '../../graph/value.js';
import { isFloatType } from '../../onnx/element-types.js';
import type { Model, TensorData } from '../../onnx/ir.js';

/** A model whose weights are initializers: some exporters write them all as Constant nodes. Where there are weights
 *  among the initializers, Constant nodes are constants. */
export function weightsAsInitializers(model: Model): Model {
  const { graph } = model;
  const isWeight = ({ type, dims }: TensorData) => isFloatType(type) && elementCount(dims) > 1;
  if ([...graph.initializers.values()].some(isWeight)) return model;
  const weights = new Map<string, TensorData>();
  for (const node of graph.nodes) {
    const tensor = node.opType === 'Constant' ? constantAttribute(node) : undefined;
    if (tensor && isFloatType(tensor.type) && tensor.dims.length > 0)
      weights.set(node.outputs[0] ?? '', tensor);
  }
  if (weights.size === 0) return model;
  const nodes = graph.nodes.filter(
    ({ opType, outputs }) => opType !== 'Constant' || !weights.has(outputs[0] ?? ''),
  );
  const initializers = new Map([...graph.initializers, ...weights]);
  return { ...model, graph: { ...graph, nodes, initializers } };
}
