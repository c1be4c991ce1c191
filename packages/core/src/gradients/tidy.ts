import type { GraphBuilder } from '../graph/builder.js';
import { renameNode } from '../graph/inline.js';
import { blankUnusedOutputs, prune } from '../graph/order.js';
import type { Value } from '../graph/value.js';

/** Leaves of the backward pass (the nodes since `mark`) what the wanted gradients need, and names the gradient of
 *  a value V `V_grad`, as ORT does, and its parts, where V has several users, `V_grad_1`, ... Returns the wanted gradients under their names.
 *  @param totals the whole gradient of each forward value
 *  @param parts whose gradient each summand is part of
 *  @param wanted the gradient of each parameter */
export function tidy(
  builder: GraphBuilder,
  mark: number,
  totals: ReadonlyMap<string, Value>,
  parts: ReadonlyMap<string, string>,
  wanted: ReadonlyMap<string, Value>,
): ReadonlyMap<string, Value> {
  const outputs = [...wanted.values()].map((value) => value.name);
  const kept = blankUnusedOutputs(prune(builder.takeSince(mark), outputs), outputs);
  const made = new Set(kept.flatMap((node) => node.outputs));
  const names = new Map<string, string>();
  for (const [name, total] of [...wanted, ...totals]) {
    // One gradient may belong to several values (a sum hands it on): the first gives it its name.
    if (!made.has(total.name) || names.has(total.name)) continue;
    names.set(total.name, builder.fresh(`${name}_grad`));
  }
  for (const [part, name] of parts)
    if (made.has(part) && !names.has(part)) names.set(part, builder.fresh(`${name}_grad`));
  const renamed = (name: string) => names.get(name) ?? name;
  const rename = (value: Value): Value => ({ ...value, name: renamed(value.name) });
  for (const node of kept) {
    const values = node.outputs.flatMap((output) =>
      names.has(output) ? [rename(builder.value(output))] : [],
    );
    builder.add(renameNode(node, renamed), values);
  }
  return new Map(
    [...wanted].map(([name, value]) => [name, { ...rename(value), parameter: name }] as const),
  );
}
