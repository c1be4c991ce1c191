import { gradware } from '../graph/dialect.js';
import { sortNodes } from '../graph/order.js';
import { int } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';

function isHost(node: Node): boolean {
  return node.domain === gradware && node.opType === 'Host';
}

/** A visit to the host between two stages: which plugin, on what, giving what. */
export interface HostVisit {
  readonly index: number;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface StageNodes {
  /** What the host does before this stage runs. */
  readonly visits: readonly HostVisit[];
  readonly nodes: readonly Node[];
  /** Values that this stage makes and that later stages, the host or the session need. */
  readonly outputs: readonly string[];
}

/** Cuts the step at its host plugins: the stage of a node is the number of host visits above it. */
export function splitStages(
  nodes: readonly Node[],
  outputs: readonly string[],
): readonly StageNodes[] {
  const stageOf = new Map<string, number>();
  const stages: { visits: HostVisit[]; nodes: Node[] }[] = [{ visits: [], nodes: [] }];
  const at = (stage: number) => {
    while (stages.length <= stage) stages.push({ visits: [], nodes: [] });
    return stages[stage] as { visits: HostVisit[]; nodes: Node[] };
  };
  for (const node of sortNodes(nodes)) {
    const above = Math.max(0, ...usedNames(node).map((name) => stageOf.get(name) ?? 0));
    const stage = isHost(node) ? above + 1 : above;
    for (const output of node.outputs) stageOf.set(output, stage);
    if (isHost(node))
      at(stage).visits.push({
        index: int(node.attributes, 'index', 0),
        inputs: node.inputs,
        outputs: node.outputs,
      });
    else at(stage).nodes.push(node);
  }
  return stages.map(({ visits, nodes: own }, stage) => {
    const wanted = new Set(outputs);
    for (const later of stages.slice(stage + 1)) {
      for (const node of later.nodes) for (const name of usedNames(node)) wanted.add(name);
      for (const visit of later.visits) for (const name of visit.inputs) wanted.add(name);
    }
    const made = own.flatMap((node) => node.outputs).filter((name) => wanted.has(name));
    return { visits, nodes: own, outputs: made };
  });
}
