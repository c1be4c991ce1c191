import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { plainNumbers } from '../graph/constants.js';
import { blockedDomain, gradware, isStockOp, isTrainingOp } from '../graph/dialect.js';
import { identityNode } from '../graph/identity.js';
import { renameNode } from '../graph/inline.js';
import { sortNodes } from '../graph/order.js';
import { knownScan } from '../graph/scan.js';
import { sameShape, type Value } from '../graph/value.js';
import type { Node, TensorData } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import type {
  Inputs,
  LoweringContext,
  LoweringRule,
  LoweringRules,
  Producer,
  Provider,
} from './rule.js';
import { loweringRuleOf } from './rules/index.js';

export interface LowerOptions {
  readonly provider: Provider;
  /** See LoweringContext.random. */
  readonly random: LoweringContext['random'];
  /** Of this device, tried before those that all share. */
  readonly rules?: LoweringRules | undefined;
}

/** Whether a node can reach ONNX Runtime, as it is or lowered. */
export function canLower(node: Node): boolean {
  if (isStockOp(node.opType, node.domain) || node.domain === gradware) return true;
  return ruleOf(node) !== undefined;
}

/** Rewrites training ops, and standard ops that the provider lacks, as ops that it has.
 *
 *  Goes from the last node to the first, so that a rule sees which of its outputs are still used, and drops
 *  what nobody needs on the way. Nodes that a rule emits are lowered in turn. Returns the nodes that
 *  `outputs` need, in order; names in `outputs` stay. */
export function lower(
  builder: GraphBuilder,
  outputs: Iterable<string>,
  options: LowerOptions,
): readonly Node[] {
  return lowerNodes(builder, builder.nodes, [...outputs], options);
}

function lowerNodes(
  builder: GraphBuilder,
  nodes: readonly Node[],
  outputs: readonly string[],
  options: LowerOptions,
): readonly Node[] {
  const used = new Set(outputs);
  const leaving = new Set([...outputs, ...nodes.filter(isPseudo).flatMap(({ inputs }) => inputs)]);
  const renamed = new Map<string, string>();
  const pending = [...sortNodes(nodes)];
  const kept: Node[] = [];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (!node.outputs.some((output) => used.has(output))) continue;
    const current = withLoweredBody(builder, node, options);
    const mark = builder.nodes.length;
    const results =
      foldOutputs(builder, current, used) ??
      applyRule(builder, current, { used, leaving }, options);
    if (results === undefined) {
      refuseUnknown(current);
      kept.push(current);
      for (const name of usedNames(current)) used.add(name);
      continue;
    }
    results.forEach((result, i) => {
      const output = current.outputs[i];
      if (output === undefined || output === '' || result === undefined) return;
      checkType(builder, current, output, result);
      renamed.set(output, result.name);
      used.add(result.name);
    });
    pending.push(...builder.nodes.slice(mark));
  }
  return finish(kept.reverse(), renamed, new Set(outputs));
}

/** Gradware's own: they choose between states, or hand values to the host. */
function isPseudo({ domain }: Node): boolean {
  return domain === gradware;
}

/** A Scan whose body the builder knows. */
function withLoweredBody(builder: GraphBuilder, node: Node, options: LowerOptions): Node {
  const scan = knownScan(builder, node);
  if (scan === undefined) return node;
  const { body } = scan;
  const wanted = body.outputs.map(({ name }) => name);
  const nodes = lowerNodes(builder, body.nodes, wanted, options);
  const attributes = { ...node.attributes, body: { type: 'graph', value: { ...body, nodes } } };
  return { ...node, attributes: attributes as Node['attributes'] };
}

/** Custom ops, and those on channels in blocks, may have the name of one that is known. */
function ruleOf(
  { opType, domain }: Node,
  rules: (opType: string) => LoweringRule | undefined = loweringRuleOf,
): LoweringRule | undefined {
  const known = isStockOp(opType, domain) || isTrainingOp(opType, domain);
  return known && domain !== blockedDomain ? rules(opType) : undefined;
}

/** Constants for outputs that follow from shapes and constants alone: most providers compute shapes on the CPU. */
function foldOutputs(
  builder: GraphBuilder,
  node: Node,
  used: ReadonlySet<string>,
): readonly (Value | undefined)[] | undefined {
  if (node.domain === gradware) return undefined;
  const tensors = node.outputs.map((output) =>
    used.has(output) ? builder.constant(output) : undefined,
  );
  const complete = tensors.every((tensor, i) =>
    tensor === undefined ? !used.has(node.outputs[i] ?? '') : isExact(tensor),
  );
  if (!complete) return undefined;
  return tensors.map((tensor) => tensor && builder.op.constant(tensor));
}

/** Folding counts in doubles: "to the end" as the largest int64 does not survive it. */
function isExact({ data }: TensorData): boolean {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return !(data instanceof BigInt64Array) || data.every((n) => n <= limit && n >= -limit);
}

function applyRule(
  builder: GraphBuilder,
  node: Node,
  { used, leaving }: { readonly used: ReadonlySet<string>; readonly leaving: ReadonlySet<string> },
  { provider, random, rules = {} }: LowerOptions,
): readonly (Value | undefined)[] | undefined {
  const candidates = [ruleOf(node, (opType) => rules[opType]), ruleOf(node)].filter(
    (rule) => rule !== undefined,
  );
  if (candidates.length === 0) return undefined;
  const lookUp = (name: string) => (name === '' ? undefined : builder.value(name));
  const valuesOf = (names: readonly string[]) => names.map(lookUp) as unknown as Inputs;
  const producer = (value: Value): Producer | undefined => {
    const made = builder.producer(value);
    return (
      made && {
        node: made,
        opType: made.opType,
        attributes: made.attributes,
        x: valuesOf(made.inputs),
        y: valuesOf(made.outputs),
      }
    );
  };
  const context: LoweringContext = {
    x: valuesOf(node.inputs),
    y: valuesOf(node.outputs),
    attributes: node.attributes,
    node,
    op: builder.op,
    emit: builder.emit,
    provider,
    has: (i) => (node.inputs[i] ?? '') !== '',
    needed: (i) => used.has(node.outputs[i] ?? ''),
    neededLater: ({ name }) => used.has(name),
    leaves: ({ name }) => leaving.has(name),
    producer,
    constant: (value) => {
      const tensor = builder.constant(value);
      return tensor && plainNumbers(tensor.data);
    },
    random,
  };
  return builder.scoped(node.name || node.opType, () => {
    for (const rule of candidates) {
      const result = rule(context);
      if (result !== undefined) return 'name' in result ? [result] : result;
    }
    return undefined;
  });
}

function checkType(builder: GraphBuilder, node: Node, output: string, result: Value): void {
  const wanted = builder.value(output);
  if (wanted.type === result.type && sameShape(wanted.shape, result.shape)) return;
  throw new GradwareError(
    'NO_LOWERING',
    `The lowering of ${node.opType} gives ${result.type}[${result.shape}] instead of ${wanted.type}[${wanted.shape}]`,
    { where: `node ${node.name}, output ${output}` },
  );
}

function refuseUnknown(node: Node): void {
  if (isStockOp(node.opType, node.domain) || node.domain === gradware) return;
  throw new GradwareError('NO_LOWERING', `The op ${node.domain}.${node.opType} is not known`, {
    where: `node ${node.name || node.outputs[0]}`,
    remedy: 'Custom ops cannot be trained on stock ONNX Runtime; export the model without them.',
  });
}

/** Replaces the names of lowered values by those of what they became. Where a name has to stay (an output of
 *  the graph), what it became is renamed to it. */
function finish(
  nodes: readonly Node[],
  renamed: ReadonlyMap<string, string>,
  outputs: ReadonlySet<string>,
): readonly Node[] {
  const resolve = (name: string): string => {
    let current = name;
    for (let next = renamed.get(current); next !== undefined; next = renamed.get(current))
      current = next;
    return current;
  };
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const back = new Map<string, string>();
  const copies: Node[] = [];
  for (const output of outputs) {
    const source = resolve(output);
    if (source === output) continue;
    if (made.has(source) && !back.has(source) && !outputs.has(source)) back.set(source, output);
    else copies.push(identityNode(back.get(source) ?? source, output, `${output}/Identity`));
  }
  const final = (name: string): string => {
    const source = resolve(name);
    return back.get(source) ?? source;
  };
  const rewritten = nodes.map((node) => ({
    ...renameNode(node, final),
    outputs: node.outputs.map((name) => back.get(name) ?? name),
  }));
  return [...rewritten, ...copies];
}
