import { GradwareError } from '../errors.js';
import type {
  Attribute,
  DataType,
  FunctionDefinition,
  Graph,
  Model,
  Node,
  TensorData,
} from '../onnx/ir.js';
import { freshName, subgraphs, usedNames } from '../onnx/names.js';
import { unfuse } from '../onnx/ort-format/unfuse.js';
import { numbersOf } from './constants.js';
import { constantAttribute } from './fold.js';
import { inlineFunctions } from './inline.js';
import { irVersion as targetIr, opset as targetOpset } from './opset.js';
import { refusals, type Upgrade, type UpgradeStep, upgrades } from './upgrade-rules.js';

/** What the table of changes reaches back to: before opset 7, broadcasting was an attribute. */
const oldest = 7;
const newest = 26;

/** Rewrites a model of any opset from 7 on as one of opset 21: what became an input is made one, what was renamed
 *  gets its new name, and what would now mean something else is spelt out. Nested graphs too. Model-local functions are
 *  put where they are called. Names of inputs, outputs, initializers and values stay.
 *  @throws GradwareError UNSUPPORTED for opsets below 7, and for nodes that opset 21 has no form for. */
export function upgradeModel(model: Model): Model {
  const opset = model.opsets.get('') ?? targetOpset;
  refuseRange(opset);
  const names = new Set<string>();
  collectNames(model.graph, names);
  for (const definition of model.functions) collectFunctionNames(definition, names);
  const scope: Scope = { names, floats: floatTypes(model), opset };
  const upgraded = upgradeGraph(unfuse(model.graph, model.opsets, 'the model'), scope);
  return inlineFunctions({
    ...model,
    graph: model.irVersion < 4 ? withoutInitializerInputs(upgraded) : upgraded,
    irVersion: Math.max(model.irVersion, targetIr),
    opsets: withTarget(model.opsets),
    functions: model.functions.map((definition) => upgradeFunction(definition, scope)),
  });
}

interface Scope {
  /** Every name of the model: nested graphs may not reuse one. */
  readonly names: Set<string>;
  /** The floating-point types that occur anywhere. */
  readonly floats: ReadonlySet<DataType>;
  readonly opset: number;
}

/** What a list of nodes reads, and what it holds as constants. */
interface Uses {
  readonly used: ReadonlySet<string>;
  readonly constants: Map<string, TensorData>;
}

function withTarget(opsets: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([
    ...opsets,
    ['', targetOpset],
    ['com.microsoft', opsets.get('com.microsoft') ?? 1],
  ]);
}

function refuseRange(opset: number): void {
  if (opset >= oldest && opset <= newest) return;
  const early = opset < oldest;
  throw new GradwareError(
    'UNSUPPORTED',
    `Opset ${opset} is not supported (${oldest} to ${newest} are)`,
    {
      remedy: early
        ? 'Export the model again, or convert it with onnx.version_converter.'
        : 'Export the model with opset 21.',
    },
  );
}

/** Before IR 4, initializers had to be listed as inputs, which now means that the caller may replace them. */
function withoutInitializerInputs(graph: Graph): Graph {
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !graph.initializers.has(name)) };
}

function upgradeFunction(definition: FunctionDefinition, scope: Scope): FunctionDefinition {
  const opset = definition.opsets.get('') ?? scope.opset;
  refuseRange(opset);
  const nodes = upgradeNodes(definition.nodes, definition.outputs, new Map(), { ...scope, opset });
  return { ...definition, nodes, opsets: withTarget(definition.opsets) };
}

function upgradeGraph(graph: Graph, scope: Scope): Graph {
  const outputs = graph.outputs.map((output) => output.name);
  return { ...graph, nodes: upgradeNodes(graph.nodes, outputs, graph.initializers, scope) };
}

function upgradeNodes(
  nodes: readonly Node[],
  outputs: readonly string[],
  initializers: ReadonlyMap<string, TensorData>,
  scope: Scope,
): readonly Node[] {
  const uses: Uses = {
    used: new Set([...outputs, ...nodes.flatMap(usedNames)]),
    constants: new Map(initializers),
  };
  for (const node of nodes) {
    const tensor = node.opType === 'Constant' ? constantAttribute(node) : undefined;
    if (tensor !== undefined) uses.constants.set(node.outputs[0] ?? '', tensor);
  }
  return nodes.flatMap((node) => {
    const nested = subgraphs(node).length === 0 ? node : upgradeSubgraphs(node, scope);
    return nested.domain === '' ? upgradeNode(nested, uses, scope) : [nested];
  });
}

function upgradeSubgraphs(node: Node, scope: Scope): Node {
  const upgraded = (attribute: Attribute): Attribute => {
    if (attribute.type === 'graph')
      return { ...attribute, value: upgradeGraph(attribute.value, scope) };
    if (attribute.type === 'graphs')
      return { ...attribute, value: attribute.value.map((graph) => upgradeGraph(graph, scope)) };
    return attribute;
  };
  const attributes = Object.entries(node.attributes).map(([k, v]) => [k, upgraded(v)] as const);
  return { ...node, attributes: Object.fromEntries(attributes) };
}

function pendingSteps({ opType }: Node, opset: number): readonly UpgradeStep[] {
  const changes: readonly Upgrade[] = Object.hasOwn(upgrades, opType)
    ? (upgrades[opType] ?? [])
    : [];
  return changes.filter(({ since, when }) => applies(since, when, opset)).map(({ step }) => step);
}

function applies(since: number, when: Upgrade['when'], opset: number): boolean {
  return when === 'newer' ? opset >= since : opset < since;
}

function upgradeNode(node: Node, { used, constants }: Uses, scope: Scope): readonly Node[] {
  const { names, floats, opset } = scope;
  const refuse = (reason: string, remedy?: string): never => {
    throw new GradwareError('UNSUPPORTED', `${node.opType} of opset ${opset}: ${reason}`, {
      where: `node ${node.name || node.outputs[0]}`,
      remedy: remedy ?? `Export the model with opset ${targetOpset}.`,
    });
  };
  const refusal = Object.hasOwn(refusals, node.opType) ? refusals[node.opType] : undefined;
  if (refusal !== undefined && opset >= refusal.since) refuse(refusal.reason);
  const steps = pendingSteps(node, opset);
  if (steps.length === 0) return [node];
  if (Object.values(node.attributes).some((attribute) => attribute.type === 'reference'))
    refuse('a function passes it an attribute, which is now an input');
  const before: Node[] = [];
  const emit = (
    opType: string,
    inputs: readonly string[],
    attributes: Node['attributes'] = {},
  ): string => {
    const name = freshName(names, `${node.outputs[0]}/${opType}`);
    before.push({ name, opType, domain: '', inputs, outputs: [name], attributes });
    return name;
  };
  const constant = (value: TensorData) =>
    emit('Constant', [], { value: { type: 'tensor', value } });
  const current = steps.reduce(
    (latest, step) =>
      step({
        node: latest,
        emit,
        constant,
        known(name) {
          const tensor = constants.get(name);
          return tensor && numbersOf(tensor);
        },
        isUsed: (i) => used.has(latest.outputs[i] ?? ''),
        floatLike(value, like) {
          const [only] = floats;
          const number = { dims: [], data: Float32Array.of(value) };
          const float32 = constant({ ...number, type: 'float32' });
          return floats.size <= 1 && (only ?? 'float32') === 'float32'
            ? float32
            : emit('CastLike', [float32, like]);
        },
        refuse,
      }),
    node,
  );
  return [...before, current];
}

function collectNames(graph: Graph, names: Set<string>): void {
  for (const { name } of [...graph.inputs, ...graph.outputs]) names.add(name);
  for (const name of graph.initializers.keys()) names.add(name);
  collectNodeNames(graph.nodes, names);
}

function collectFunctionNames(definition: FunctionDefinition, names: Set<string>): void {
  for (const name of definition.inputs) names.add(name);
  collectNodeNames(definition.nodes, names);
}

function collectNodeNames(nodes: readonly Node[], names: Set<string>): void {
  for (const node of nodes) {
    names.add(node.name);
    for (const output of node.outputs) names.add(output);
    for (const graph of subgraphs(node)) collectNames(graph, names);
  }
}

const floatNumbers: Readonly<Record<number, DataType>> = {
  1: 'float32',
  10: 'float16',
  11: 'float64',
  16: 'bfloat16',
};

/** The floating-point types of a model's tensors. */
function floatTypes({ graph, functions }: Model): ReadonlySet<DataType> {
  const known = new Set(Object.values(floatNumbers));
  const found = new Set<DataType>();
  const note = (type: unknown) => {
    if (known.has(type as DataType)) found.add(type as DataType);
  };
  const visitNodes = (nodes: readonly Node[]) => {
    for (const node of nodes) {
      const { to, value, dtype } = node.attributes;
      for (const attribute of [to, dtype])
        if (attribute?.type === 'int') note(floatNumbers[attribute.value]);
      if (value?.type === 'tensor') note(value.value.type);
      for (const nested of subgraphs(node)) visit(nested);
    }
  };
  const visit = (current: Graph) => {
    for (const info of [...current.inputs, ...current.outputs, ...current.valueInfo.values()])
      note(info.type);
    for (const tensor of current.initializers.values()) note(tensor.type);
    visitNodes(current.nodes);
  };
  visit(graph);
  for (const definition of functions) visitNodes(definition.nodes);
  return found;
}
