import type { Graph, TensorData } from '../../onnx/ir.js';

function isUniform({ data }: TensorData): boolean {
  return (data as Float32Array).every((value) => value === data[0]);
}

/** At most three, and how many more. */
export const listed = (lines: readonly string[]) =>
  lines.length > 3
    ? `${lines.slice(0, 3).join(', ')} and ${lines.length - 3} more`
    : lines.join(', ');

/** PyTorch lets parameters of equal numbers be one when it exports for evaluation, with an Identity for each name. Those
 *  that are all zeros or all ones were hardly meant to be tied. */
function mergedParameters({ nodes, initializers }: Graph): readonly string[] {
  return nodes.flatMap(({ opType, inputs, outputs }) => {
    const tensor = opType === 'Identity' ? initializers.get(inputs[0] ?? '') : undefined;
    const floats = tensor?.type === 'float32' && tensor.data.length > 1;
    return tensor && floats && isUniform(tensor) ? [`${outputs[0]} with ${inputs[0]}`] : [];
  });
}

function isTransposed(a: TensorData, b: TensorData): boolean {
  const [rows = 0, columns = 0] = a.dims;
  const [x, y] = [a.data as Float32Array, b.data as Float32Array];
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) if (x[i * columns + j] !== y[j * rows + i]) return false;
  return true;
}

/** Matrices of which one is the other, transposed: the exporter computed what was one tied weight beforehand. */
function untiedWeights({ initializers }: Graph): readonly string[] {
  const seen = new Map<string, [string, TensorData][]>();
  const found: string[] = [];
  for (const [name, tensor] of initializers) {
    const { type, dims } = tensor;
    if (type !== 'float32' || dims.length !== 2 || tensor.data.length < 2) continue;
    for (const [other, twin] of seen.get(`${dims[1]},${dims[0]}`) ?? [])
      if (!isUniform(tensor) && isTransposed(tensor, twin)) found.push(`${name} of ${other}`);
    const key = `${dims[0]},${dims[1]}`;
    const same = seen.get(key);
    if (same === undefined) seen.set(key, [[name, tensor]]);
    else same.push([name, tensor]);
  }
  return found;
}

/** How to export a model for training from PyTorch, with its exporter and with that of before 2.9. */
const remedy =
  'Export it for training: torch.onnx.export(..., optimize=False), or with dynamo=False training=TrainingMode.TRAINING, do_constant_folding=False.';

/** What an export tells of weights that were apart and are now one, or the other way round. */
export function tieWarnings(graph: Graph): readonly string[] {
  const [merged, untied] = [mergedParameters(graph), untiedWeights(graph)];
  return [
    ...(merged.length === 0
      ? []
      : [
          `${merged.length} parameters were merged with others of equal numbers when the model was exported, and will train as one: ${listed(merged)}. ${remedy}`,
        ]),
    ...(untied.length === 0
      ? []
      : [
          `${untied.length} weights are transposed copies of others, and will train apart, even if they were tied: ${listed(untied)}. ${remedy}`,
        ]),
  ];
}
