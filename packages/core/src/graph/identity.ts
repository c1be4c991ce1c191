import type { Node } from '../onnx/ir.js';

/** Gives a value a second name. */
export function identityNode(from: string, to: string, name = to): Node {
  return { name, opType: 'Identity', domain: '', inputs: [from], outputs: [to], attributes: {} };
}

/** What a nested graph puts out: it must make each of its outputs itself, and each once, so that all others are copies.
 *  @param nodes the nodes of the graph
 *  @param copyName the name for a copy
 *  @param taken what the graph puts out already */
export function ownOutputs<Wanted extends { readonly name: string }>(
  nodes: readonly Node[],
  wanted: readonly Wanted[],
  copyName: (wanted: Wanted, place: number) => string,
  taken: Iterable<string> = [],
): { readonly names: readonly string[]; readonly copies: readonly Node[] } {
  const free = new Set(nodes.flatMap(({ outputs }) => outputs));
  for (const name of taken) free.delete(name);
  const copies: Node[] = [];
  const names = wanted.map((value, place) => {
    if (free.delete(value.name)) return value.name;
    const name = copyName(value, place);
    copies.push(identityNode(value.name, name));
    return name;
  });
  return { names, copies };
}
