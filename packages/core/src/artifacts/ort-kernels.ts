import { isTrainingOp } from '../graph/dialect.js';
import type { DataType, Graph, Node } from '../onnx/ir.js';
import { subgraphs } from '../onnx/names.js';

/** Ops of the training dialect that ORT's training runtime (1.19) has on CUDA only, or nowhere. */
const withoutCpuKernel: ReadonlySet<string> = new Set([
  'BatchScale',
  'BiasSoftmaxDropout',
  'BitmaskDropout',
  'BitmaskDropoutGrad',
  'ConvTransposeGrad',
  'FlattenAndUnpad',
  'PadAndUnflatten',
  'ResizeGrad',
  'ScaledSum',
]);

/** Standard ops up to opset 21 that it has no CPU kernel for. */
const missingStandard: ReadonlySet<string> = new Set(['DeformConv']);

/** Domains whose ops it knows. */
const domains: ReadonlySet<string> = new Set(['', 'com.microsoft']);

/** Ops of a training graph that ORT's own training runtime cannot run on CPUs (so: not in JavaScript), each named once
 *  with its domain. Gradware's lowering is another matter: it may run them all the same.
 *  @param typeOf the element type of a value, where it is known */
export function opsWithoutOrtKernel(
  { nodes }: Pick<Graph, 'nodes'>,
  typeOf: (name: string) => DataType | undefined,
): readonly string[] {
  const found = new Set<string>();
  const visit = (list: readonly Node[]): void => {
    for (const node of list) {
      const type = node.inputs.map(typeOf).find((each) => each !== undefined && isFloat(each));
      if (isMissing(node)) found.add(title(node));
      else if (isTrainingOp(node.opType, node.domain) && type !== undefined && type !== 'float32')
        found.add(`${title(node)} (${type})`);
      for (const graph of subgraphs(node)) visit(graph.nodes);
    }
  };
  visit(nodes);
  return [...found].sort();
}

function isMissing({ opType, domain }: Node): boolean {
  if (!domains.has(domain)) return true;
  return domain === '' ? missingStandard.has(opType) : withoutCpuKernel.has(opType);
}

const isFloat = (type: DataType) => /^b?float/.test(type);

const title = ({ opType, domain }: Node) => (domain === '' ? opType : `${domain}.${opType}`);
