import type { GraphBuilder } from '../../graph/builder.js';
import { tensorOf } from '../../graph/constants.js';
import { decompose, decompositionOf } from '../../graph/decompose/index.js';
import { modelOf } from '../../graph/model.js';
import { blankUnusedOutputs, sortNodes } from '../../graph/order.js';
import { uniform } from '../../graph/random.js';
import type { Value } from '../../graph/value.js';
import { lower } from '../../lowering/lower.js';
import type { Provider } from '../../lowering/rule.js';
import { nodesLeftToCpu } from '../../lowering/webgpu-kernels.js';
import { usedNames } from '../../onnx/names.js';
import { graphForm } from './graph-form.js';
import type { EvaluationModel } from './source.js';

/** Whether evaluations are written for a provider, and its exact shapes: one that has not all kernels. */
export function lowersEvaluation(provider: Provider): boolean {
  return provider === 'webgpu';
}

/** A forward pass as the provider runs it without the CPU: what it has no kernel for is taken apart, or lowered as in
 *  steps. The builder is used up.
 *  @param inputs what is fed, parameters too; all of them stay inputs */
export function loweredEvaluation(
  builder: GraphBuilder,
  inputs: readonly Value[],
  outputs: readonly string[],
  provider: Provider,
): Pick<EvaluationModel, 'model' | 'known'> {
  if (lowersEvaluation(provider)) takeGapsApart(builder, graphForm(provider).longestUnrolled);
  const seed = builder.op.constant(tensorOf('uint32', [0], []));
  const step = builder.op.constant(tensorOf('int32', [0], []));
  const lowered = lower(builder, outputs, {
    provider,
    random: (shape, key) => uniform(builder.op, { shape, seed, step, key }),
  });
  const nodes = sortNodes(blankUnusedOutputs(lowered, outputs));
  const used = new Set(nodes.flatMap(usedNames));
  const initializers = new Map([...builder.initializers].filter(([name]) => used.has(name)));
  const model = modelOf({
    name: 'gradware evaluation',
    nodes,
    inputs,
    outputs: outputs.map((name) => builder.value(name)),
    initializers,
    valueInfo: new Map(),
  });
  return { model, known: builder };
}

/** In steps the way to the gradient does that. What comes out may have gaps again. */
function takeGapsApart(builder: GraphBuilder, longestUnrolled: number): void {
  for (;;) {
    const left = nodesLeftToCpu(builder.nodes, builder).map(({ node }) => node);
    const gaps = builder.nodes.filter(
      (node) => left.includes(node) && decompositionOf(node) !== undefined,
    );
    if (gaps.length === 0) return;
    decompose(builder, new Set(gaps), longestUnrolled);
  }
}
