import type { Graph, Node, TensorData } from '../../onnx/ir.js';
import { selectNames } from '../../plugins/match.js';
import { evaluationMode, refuseNothingToTrain } from '../source/forward-graph.js';
import { chooseParameters, type ParameterWishes } from '../source/trainable.js';

/** What of a model becomes an input of the artifacts. */
export interface ParameterPlan {
  /** In the order of the model's initializers. */
  readonly parameters: ReadonlyMap<string, TensorData>;
  readonly trainable: readonly string[];
  readonly frozen: readonly string[];
}

/** What trains, and what is fed beside it: what `frozenParams` names, and the running statistics of batch norms, which
 *  ORT's runtime updates in place. All else stays a constant in the models, as with ORT's tool. */
export function planParameters(
  graph: Graph,
  predictions: readonly string[],
  wishes: ParameterWishes,
  file: string,
): ParameterPlan {
  const { frozenParams } = wishes;
  const choices = chooseParameters(graph, predictions, wishes);
  const trains = new Set(choices.filter((choice) => choice.trains).map(({ name }) => name));
  if (trains.size === 0) refuseNothingToTrain(choices, file);
  const names = choices.map(({ name }) => name);
  const kept = new Set(
    frozenParams === undefined ? [] : selectNames(names, frozenParams, undefined, 'frozenParams'),
  );
  for (const node of graph.nodes)
    if (isBatchNorm(node)) for (const name of node.inputs.slice(3)) kept.add(name);
  const fed = [...graph.initializers].filter(([name]) => trains.has(name) || kept.has(name));
  const trainable = fed.map(([name]) => name).filter((name) => trains.has(name));
  return {
    parameters: new Map(fed),
    trainable,
    frozen: fed.map(([name]) => name).filter((name) => !trains.has(name)),
  };
}

const isBatchNorm = ({ opType, domain }: Node) => opType === 'BatchNormalization' && domain === '';

/** Batch norms as ORT trains them, whatever mode they were exported in. */
export function trainingForm(graph: Graph): Graph {
  const names = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  const nodes = graph.nodes.map((node): Node => {
    if (!isBatchNorm(node)) return node;
    const [y = ''] = node.outputs;
    const outputs = ['', 'running_mean', 'running_var', 'saved_mean', 'saved_inv_std'].map(
      (suffix, i) => {
        const given = i < 3 ? (node.outputs[i] ?? '') : '';
        if (given !== '') return given;
        let name = `${y}_${suffix}`;
        while (names.has(name)) name += '_';
        return name;
      },
    );
    return {
      ...node,
      opType: 'BatchNormInternal',
      domain: 'com.microsoft',
      outputs,
      attributes: { ...node.attributes, training_mode: { type: 'int', value: 1 } },
    };
  });
  return { ...graph, nodes };
}

/** What the model computes when it is used: no dropout, batch norms by their running statistics. */
export function evaluationForm(graph: Graph): Graph {
  const still = evaluationMode(graph);
  const nodes = still.nodes.map((node): Node => {
    if (!isBatchNorm(node)) return node;
    const { training_mode: _, ...attributes } = node.attributes;
    return { ...node, outputs: node.outputs.slice(0, 1), attributes };
  });
  return { ...still, nodes };
}

/** Whether a model computes the same in training as in evaluation. */
export function hasOneForm(graph: Graph): boolean {
  return graph.nodes.every(
    (node) => !isBatchNorm(node) && !(node.opType === 'Dropout' && (node.inputs[2] ?? '') !== ''),
  );
}
