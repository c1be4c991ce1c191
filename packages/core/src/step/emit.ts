import type { GraphBuilder } from '../graph/builder.js';
import { blockedDomain } from '../graph/dialect.js';
import { modelOf } from '../graph/model.js';
import { blankUnusedOutputs } from '../graph/order.js';
import type { Value } from '../graph/value.js';
import type { Graph, Node, TensorData } from '../onnx/ir.js';
import { encodeModel } from '../onnx/model.js';
import { subgraphs, usedNames } from '../onnx/names.js';
import type { HostCall, StepScalar } from '../plugins/registry.js';
import { loopGraph } from './loop.js';
import type { Feeding, HostStep, Stage, StateSpec } from './program.js';
import { sinkSelects } from './sink.js';
import { type HostVisit, splitStages } from './stages.js';
import type { TrainingGraph } from './training-graph.js';

/** The lowered nodes of one step, and what they mean. */
export interface StepBody {
  readonly builder: GraphBuilder;
  readonly nodes: readonly Node[];
  readonly states: readonly StateSpec[];
  /** Scalars that come back from every step. */
  readonly collected: readonly Value[];
  readonly seed: Value;
  readonly hosts: readonly HostCall[];
}

/** One step per run; host plugins cut it into stages. */
export function singleStages(
  { builder, nodes, hosts }: StepBody,
  outputs: readonly string[],
): readonly Stage[] {
  const typed = (name: string) => {
    const value = builder.values.get(name);
    return { name, type: value?.type, shape: value?.shape };
  };
  return splitStages(nodes, outputs).map((stage): Stage => {
    const own = sinkSelects(blankUnusedOutputs(stage.nodes, stage.outputs), stage.outputs);
    const free = freeNames(own);
    const initializers = initializersAmong(builder, free);
    const inputs = free.filter((name) => !initializers.has(name));
    const graph: Graph = {
      name: 'gradware step',
      nodes: own,
      inputs: inputs.map(typed),
      outputs: stage.outputs.map(typed),
      initializers,
      valueInfo: new Map(),
    };
    const visits = stage.visits.map((visit) => hostStep(visit, hosts));
    const model = encodeModel(modelOf(graph, domainsOf(stage.nodes)));
    return { hosts: visits, model, inputs, outputs: stage.outputs };
  });
}

function hostStep({ index, inputs, outputs }: HostVisit, hosts: readonly HostCall[]): HostStep {
  return { call: hosts[index] as HostCall, inputs, outputs };
}

export interface LoopOptions {
  readonly scalars: readonly StepScalar[];
  /** A value that ends the Loop where it is true. */
  readonly stop: string | undefined;
  readonly feeding: Exclude<Feeding, 'single'>;
}

/** K steps in one run. */
export function loopStages(
  { builder, nodes, states, collected, seed }: StepBody,
  graph: TrainingGraph,
  { scalars, stop, feeding }: LoopOptions,
): readonly Stage[] {
  const outputs = [
    ...states.flatMap((state) => state.next ?? []),
    ...collected.map((value) => value.name),
  ];
  const roots = stop === undefined ? outputs : [...outputs, stop];
  const own = sinkSelects(blankUnusedOutputs(nodes, roots), roots);
  const free = new Set(freeNames(own));
  const used = (value: Value) => free.has(value.name);
  const carried = states.flatMap(({ value, next }) =>
    next === undefined ? [] : [{ value, next }],
  );
  const constant = states.filter((state) => state.next === undefined).map((state) => state.value);
  const loop = loopGraph({
    nodes: own,
    initializers: initializersAmong(builder, [...free]),
    carried,
    collected,
    inputs: graph.inputs.filter(used),
    scalars: scalars.map((scalar) => scalar.value).filter(used),
    fixed: [...graph.frozen, ...constant, seed].filter(used),
    stop,
    feeding,
  });
  const nameOf = ({ name }: { readonly name: string }) => name;
  return [
    {
      hosts: [],
      model: encodeModel(modelOf(loop, domainsOf(nodes))),
      inputs: loop.inputs.map(nameOf),
      outputs: loop.outputs.map(nameOf),
    },
  ];
}

/** What nodes need beside the domains that every model imports. */
function domainsOf(nodes: readonly Node[]): ReadonlyMap<string, number> {
  const isBlocked = (node: Node): boolean =>
    node.domain === blockedDomain || subgraphs(node).some(({ nodes: own }) => own.some(isBlocked));
  return new Map(nodes.some(isBlocked) ? [[blockedDomain, 1]] : []);
}

/** Names that nodes use and none of them makes: inputs and constants. */
function freeNames(nodes: readonly Node[]): readonly string[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  return [...new Set(nodes.flatMap(usedNames))].filter((name) => !made.has(name));
}

function initializersAmong(
  builder: GraphBuilder,
  free: readonly string[],
): ReadonlyMap<string, TensorData> {
  const found = new Map<string, TensorData>();
  for (const name of free) {
    const tensor = builder.initializers.get(name);
    if (tensor !== undefined) found.set(name, tensor);
  }
  return found;
}
