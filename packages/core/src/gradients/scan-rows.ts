import type { GraphBuilder } from '../graph/builder.js';
import { renameNode } from '../graph/inline.js';
import { formalOf, type KnownScan, rowType, type ScanSequence, stepsOf } from '../graph/scan.js';
import type { Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';

/** The values of the body of a Scan, as sequences of all steps. */
export interface Rows {
  /** Undefined for what the body takes from outside. */
  of(name: string): Value | undefined;
  /** Those that the Scan does not put out yet. */
  readonly added: ReadonlyMap<string, Value>;
}

export function createRows(
  builder: GraphBuilder,
  node: Node,
  { body, stateCount }: KnownScan,
): Rows {
  const known = new Map<string, Value>();
  body.inputs.slice(stateCount).forEach(({ name }, i) => {
    known.set(name, builder.value(node.inputs[stateCount + i] ?? ''));
  });
  body.outputs.slice(stateCount).forEach(({ name }, i) => {
    const row = builder.value(node.outputs[stateCount + i] ?? '');
    const maker = builder.producer(name);
    known.set(name, row);
    if (maker?.opType === 'Identity') known.set(maker.inputs[0] ?? '', row);
  });
  const inside = new Set([
    ...body.inputs.map(({ name }) => name),
    ...body.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const added = new Map<string, Value>();
  return {
    added,
    of(name) {
      const row = known.get(name);
      if (row !== undefined || !inside.has(name)) return row;
      const { type, shape } = builder.value(name);
      const made = formalOf(builder, `${name}/rows`, {
        type,
        shape: [stepsOf(builder, node), ...shape],
      });
      known.set(name, made);
      added.set(name, made);
      return made;
    },
  };
}

/** Nodes of the backward step with what they take from the forward one under names of their own. */
export function takeRows(builder: GraphBuilder, nodes: readonly Node[], rows: Rows) {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const names = new Map<string, string>();
  const taken: ScanSequence[] = [];
  for (const name of new Set(nodes.flatMap(usedNames))) {
    const value = made.has(name) ? undefined : rows.of(name);
    if (value === undefined) continue;
    const formal = formalOf(builder, `${name}/saved`, rowType(value));
    names.set(name, formal.name);
    taken.push({ value, formal });
  }
  const renamed = nodes.map((node) => renameNode(node, (name) => names.get(name) ?? name));
  return { nodes: renamed, taken };
}
