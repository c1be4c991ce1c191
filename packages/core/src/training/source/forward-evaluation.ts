import type { ShapeOracle } from '../../graph/infer.js';
import { irVersion, opset } from '../../graph/opset.js';
import { sortNodes } from '../../graph/order.js';
import type { Graph, Model } from '../../onnx/ir.js';
import { besideSteps, withBeside } from './beside-steps.js';
import { type ForwardParts, layForward } from './forward-graph.js';
import { loweredEvaluation, lowersEvaluation } from './lowered-evaluation.js';
import type { ModelSource } from './source.js';

interface EvaluationRequest {
  /** As it was given. */
  readonly model: Model;
  /** Its graph as it is used, upgraded, and the opsets that it is then of. */
  readonly graph: Graph;
  readonly opsets: ReadonlyMap<string, number>;
  /** The values that steps may have. */
  readonly inSteps: ReadonlySet<string>;
  readonly parts: ForwardParts;
}

/** The evaluation of a forward model: all of its outputs that ONNX Runtime can compute here, and the loss. */
export async function forwardEvaluation(
  { model, graph, opsets, inSteps, parts }: EvaluationRequest,
  oracle: ShapeOracle,
): Promise<Pick<ModelSource, 'outputNames' | 'evaluation'>> {
  const beside = await besideSteps({ graph, opsets }, inSteps, parts.parameters, oracle);
  const outputNames = graph.outputs
    .map(({ name }) => name)
    .filter((name) => !beside.refused.includes(name));
  const inBoth: Graph = {
    ...graph,
    nodes: graph.nodes.filter((node) => node.outputs.some((name) => inSteps.has(name))),
  };
  return {
    outputNames,
    async evaluation(values, provider) {
      const { builder, loss, inputs, weights } = await layForward(inBoth, parts, values, oracle);
      const outputs = [loss.name, ...outputNames];
      const laidOutputs = outputs.filter((name) => !beside.outputs.includes(name));
      const fed = [...inputs, ...weights];
      const names = inputs.map(({ name }) => name);
      if (lowersEvaluation(provider)) {
        const roots = [...new Set([...laidOutputs, ...beside.taken])];
        const { model: lowered, known } = loweredEvaluation(builder, fed, roots, provider);
        return { model: withBeside(lowered, beside, outputs), known, inputs: names, outputs };
      }
      const laid: Model = {
        ...model,
        opsets: new Map([...model.opsets, ['', opset]]),
        irVersion,
        graph: {
          name: model.graph.name,
          nodes: sortNodes(builder.nodes),
          inputs: fed,
          outputs: laidOutputs.map((name) => ({ ...builder.value(name) })),
          initializers: builder.initializers,
          valueInfo: new Map(),
        },
      };
      return { model: withBeside(laid, beside, outputs), inputs: names, outputs };
    },
  };
}
