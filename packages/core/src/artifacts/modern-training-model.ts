import type { Graph, Model, Node, ValueInfo } from '../onnx/ir.js';
import { withEmptyStates } from './recurrent-inputs.js';
import { accumulatorOps, bufferName, parseTrainingModel, resetName } from './training-model.js';

const outSuffix = '_grad.accumulation.out';

/** A training model of any age in the form that ORT 1.16 to 1.19 run: inputs are user inputs, parameters, buffers and
 *  the signal; each gradient goes into its buffer by an InPlaceAccumulatorV2 whose output is a flag.
 *  @param parameters the names in the checkpoint
 *  @throws GradwareError INVALID_MODEL for a model that trains nothing */
export function modernTrainingModel(
  given: Model,
  parameters: Iterable<string>,
  file?: string,
): Model {
  const model = withEmptyStates(given);
  const parsed = parseTrainingModel(model, {
    parameters,
    ...(file === undefined ? {} : { file }),
  });
  const infos = new Map(parsed.parameterInputs.map((info) => [info.name, info]));
  const others = model.graph.nodes.filter(
    ({ domain, opType }) => !(domain === 'com.microsoft' && accumulatorOps.has(opType)),
  );
  const added = parsed.trainable.map(
    ({ parameter, gradient }, i): Node => ({
      name: `GradientAccumulator${i}`,
      opType: 'InPlaceAccumulatorV2',
      domain: 'com.microsoft',
      inputs: [bufferName(parameter), gradient, resetName],
      outputs: [parameter + outSuffix],
      attributes: {},
    }),
  );
  const buffers = parsed.trainable.map(
    ({ parameter }): ValueInfo => ({ ...infos.get(parameter), name: bufferName(parameter) }),
  );
  const flags = parsed.trainable.map(
    ({ parameter }): ValueInfo => ({ name: parameter + outSuffix, type: 'bool', shape: [1] }),
  );
  const loss = model.graph.outputs.find(({ name }) => name === parsed.loss);
  const graph: Graph = {
    ...model.graph,
    nodes: [...others, ...added],
    inputs: [
      ...parsed.userInputs,
      ...parsed.parameterInputs,
      ...buffers,
      { name: resetName, type: 'bool', shape: [1] },
    ],
    outputs: [loss ?? { name: parsed.loss }, ...parsed.outputs, ...flags],
  };
  return {
    ...model,
    graph,
    opsets: new Map([...model.opsets, ['com.microsoft', model.opsets.get('com.microsoft') ?? 1]]),
  };
}
