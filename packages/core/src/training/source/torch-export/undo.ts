import type { Model } from '../../../onnx/ir.js';
import { readNotes } from '../../../onnx/metadata.js';
import { listed, tieWarnings } from '../export-traces.js';
import type { Kinds } from '../trainable.js';
import { constant, notedKinds, withKinds } from './kinds.js';
import { isFolded, torchNotes } from './notes.js';
import { restoreParameters } from './restore.js';

/** A model as it was before PyTorch's exporter optimized it. */
export interface TorchExport {
  readonly model: Model;
  readonly kinds: Kinds;
  /** What was lost, and how to keep it. */
  readonly traces: readonly string[];
}

/** Undoes what torch.onnx.export does to parameters unless optimize=False: those of equal numbers become one (all norms
 *  of a new model, and their statistics), biases of zeros go, weights are transposed under another name. What each node
 *  took is told by its notes. Batch norms that went into convolutions stay there. */
export function undoExport(model: Model, bytes: Uint8Array): TorchExport {
  const notes = torchNotes(model.graph, readNotes(bytes));
  if (notes === undefined)
    return { model, kinds: notedKinds(model), traces: tieWarnings(model.graph) };
  const { graph, parameters, fixed } = restoreParameters(model.graph, notes);
  const folded = notes.calls.filter(isFolded).length;
  const computed = notes.computed.filter(
    ([name]) => graph.initializers.has(name) && !parameters.has(name),
  );
  const kinds = new Map(
    [...graph.initializers.keys()].flatMap((name) => {
      const restored = parameters.has(name) ? 'parameter' : undefined;
      const kind = fixed.has(name) ? 'constant' : (notes.kindOf(name) ?? restored);
      return kind === undefined ? [] : [[name, kind === 'parameter' || constant] as const];
    }),
  );
  const remedy = 'Export it with torch.onnx.export(..., optimize=False)';
  return {
    model: { ...model, graph, metadata: withKinds(model, kinds) },
    kinds,
    traces: [
      ...(folded === 0
        ? []
        : [
            `Batch norms were folded into ${folded} of the convolutions when the model was exported. ${remedy} to train them apart.`,
          ]),
      ...(computed.length === 0
        ? []
        : [
            `${computed.length} parameters were used for computations when the model was exported, and their results train in their place: ${listed(computed.map(([name, origin]) => `${name} of ${origin}`))}. ${remedy}.`,
          ]),
      ...tieWarnings(graph),
    ],
  };
}
