import { numbersOf } from '../../packages/core/src/graph/constants.js';
import { modelOf } from '../../packages/core/src/graph/model.js';
import type { Graph, TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { renameGraph } from '../../packages/core/src/onnx/rename.js';
import type { Piece, Tensors } from './piece.js';

/** Many graphs as one model: a session on a GPU costs more than all that these graphs compute. */
export interface Pack {
  readonly model: Uint8Array;
  readonly feeds: Tensors;
  readonly pieces: readonly Piece[];
}

const prefixed = (i: number, name: string) => `${i}/${name}`;

export function pack(pieces: readonly Piece[]): Pack {
  const graphs = pieces.map(({ model: { graph }, feeds }, i) => {
    const fed = { ...graph, inputs: graph.inputs.filter(({ name }) => feeds.has(name)) };
    return renameGraph(fed, (name) => prefixed(i, name));
  });
  const graph: Graph = {
    name: 'pack',
    nodes: graphs.flatMap(({ nodes }) => nodes),
    inputs: graphs.flatMap(({ inputs }) => inputs),
    outputs: graphs.flatMap(({ outputs }) => outputs),
    initializers: new Map(graphs.flatMap(({ initializers }) => [...initializers])),
    valueInfo: new Map(graphs.flatMap(({ valueInfo }) => [...valueInfo])),
  };
  return {
    model: encodeModel(modelOf(graph)),
    feeds: new Map(
      pieces.flatMap(({ feeds }, i) =>
        [...feeds].map(([name, tensor]) => [prefixed(i, name), tensor] as const),
      ),
    ),
    pieces,
  };
}

/** At most so many nodes in one model: with more, one that fails takes too many others with it. */
export function packsOf(pieces: readonly Piece[], nodes = 1500): readonly Pack[] {
  const groups: Piece[][] = [[]];
  let size = 0;
  for (const piece of pieces) {
    const own = piece.model.graph.nodes.length;
    if (size > 0 && size + own > nodes) {
      groups.push([]);
      size = 0;
    }
    groups.at(-1)?.push(piece);
    size += own;
  }
  return groups.filter((group) => group.length > 0).map(pack);
}

/** Where the results of a provider are not those of the CPU: which graph, which output, and how. */
export function differences({ pieces }: Pack, results: Tensors): readonly string[] {
  return pieces.flatMap(({ name, wanted, tolerance }, i) =>
    [...wanted].flatMap(([output, tensor]) => {
      const found = results.get(prefixed(i, output));
      const problem = found === undefined ? 'is missing' : differs(found, tensor, tolerance);
      return problem === undefined ? [] : [`${name}: ${output} ${problem}`];
    }),
  );
}

function differs(found: TensorData, wanted: TensorData, tolerance: number): string | undefined {
  if (found.type !== wanted.type || `${found.dims}` !== `${wanted.dims}`)
    return `is ${found.type}[${found.dims}] instead of ${wanted.type}[${wanted.dims}]`;
  const ours = numbersOf(found) ?? [];
  const theirs = numbersOf(wanted) ?? [];
  const largest = theirs
    .filter(Number.isFinite)
    .reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const allowed = wanted.type.startsWith('float') ? tolerance * Math.max(largest, 1e-6) : 0;
  const at = theirs.findIndex((x, k) => {
    const y = ours[k] as number;
    return !(Object.is(x, y) || x === y || Math.abs(x - y) <= allowed);
  });
  if (at < 0) return undefined;
  const count = theirs.filter((x, k) => !(Math.abs(x - (ours[k] as number)) <= allowed)).length;
  return `is ${ours[at]} instead of ${theirs[at]} at ${at} (${count} of ${theirs.length}; largest ${largest})`;
}
