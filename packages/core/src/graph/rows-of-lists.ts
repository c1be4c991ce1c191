import type { Attribute, Graph, Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import { identityNode } from './identity.js';

/** A list to which every turn of a Loop adds one tensor, and that nothing else in its body looks at. */
interface Grown {
  /** Its place among the states. */
  readonly place: number;
  readonly insert: Node;
  readonly item: string;
}

/** The same nodes, where loops that grow a list from nothing put out rows in place of it: what has no lists can stay a
 *  loop, as long as it may be. */
export function listsAsRows(nodes: readonly Node[]): readonly Node[] {
  const empty = new Set(
    nodes.flatMap(({ opType, outputs }) => (opType === 'SequenceEmpty' ? outputs : [])),
  );
  if (empty.size === 0) return nodes;
  return nodes.flatMap((node) => {
    const body = node.attributes.body;
    if (node.opType !== 'Loop' || body?.type !== 'graph') return [node];
    const lists = node.inputs
      .slice(2)
      .flatMap((name, place) => (empty.has(name) ? grownAt(body.value, place) : []));
    return lists.length === 0 ? [node] : withRows(node, body.value, lists);
  });
}

function grownAt(body: Graph, place: number): readonly Grown[] {
  const list = body.inputs[2 + place]?.name ?? '';
  const next = body.outputs[1 + place]?.name ?? '';
  const insert = body.nodes.find(({ outputs }) => outputs.includes(next));
  const [into, item = '', position = ''] = insert?.inputs ?? [];
  if (insert?.opType !== 'SequenceInsert' || into !== list || position !== '') return [];
  const all = [...body.nodes.flatMap(usedNames), ...body.outputs.map(({ name }) => name)];
  const uses = (name: string) => all.filter((used) => used === name).length;
  return uses(list) === 1 && uses(next) === 1 ? [{ place, insert, item }] : [];
}

function withRows(node: Node, body: Graph, lists: readonly Grown[]): readonly Node[] {
  const places = new Set(lists.map(({ place }) => place));
  const without = <T>(all: readonly T[], before: number) =>
    all.filter((_, i) => !places.has(i - before));
  const inserts = new Set(lists.map(({ insert }) => insert));
  const rowOf = ({ insert }: Grown) => `${insert.outputs[0]}/row`;
  const value: Graph = {
    ...body,
    nodes: [
      ...body.nodes.filter((each) => !inserts.has(each)),
      ...lists.map((list) => identityNode(list.item, rowOf(list))),
    ],
    inputs: without(body.inputs, 2),
    outputs: [...without(body.outputs, 1), ...lists.map((list) => ({ name: rowOf(list) }))],
  };
  const given = lists.map(({ place }) => node.outputs[place] ?? '');
  const rows = given.map((name, i) => `${name || `${node.name}/list_${i}`}/rows`);
  const loop: Node = {
    ...node,
    inputs: without(node.inputs, 2),
    outputs: [...without(node.outputs, 0), ...rows],
    attributes: { ...node.attributes, body: { type: 'graph', value } },
  };
  const keepdims: Attribute = { type: 'int', value: 0 };
  const splits = given.flatMap((name, i): Node[] =>
    name === ''
      ? []
      : [
          {
            name: `${name}/split`,
            opType: 'SplitToSequence',
            domain: '',
            inputs: [rows[i] as string],
            outputs: [name],
            attributes: { axis: { type: 'int', value: 0 }, keepdims },
          },
        ],
  );
  return [loop, ...splits];
}
