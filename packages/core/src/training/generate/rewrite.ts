import type { GraphBuilder } from '../../graph/builder.js';
import { plainNumbers } from '../../graph/constants.js';
import { int, ints, type Value } from '../../graph/value.js';
import type { Inputs } from '../../lowering/rule.js';
import { loweringRuleOf } from '../../lowering/rules/index.js';
import type { Node } from '../../onnx/ir.js';

interface Judged {
  readonly node: Node;
  /** Whether the first axis of the data is open. */
  readonly openBatch: boolean;
  numbers(i: number): readonly number[] | undefined;
}

/** Gradient ops that ORT's own CPU kernels get wrong, and when: these are written with standard ops instead. */
const misjudged: Readonly<Record<string, (judged: Judged) => boolean>> = {
  // It reads the whole shape from the model, batch included; knows neither ceil_mode nor dilations; and overwrites
  // where windows of three axes overlap.
  AveragePoolGrad: ({ node: { attributes }, openBatch }) =>
    openBatch ||
    int(attributes, 'ceil_mode', 0) === 1 ||
    (ints(attributes, 'dilations') ?? []).some((d) => d !== 1) ||
    (ints(attributes, 'kernel_shape') ?? []).length > 2,
  // It reads a wrong shape where pointers have 32 bits, as in WebAssembly.
  GatherNDGrad: () => true,
  // It does not run backwards.
  SliceGrad: ({ numbers }) => (numbers(5) ?? []).some((step) => step < 0),
};

/** Rewrites what ORT's training kernels would get wrong. Names of values stay. */
export function avoidWrongKernels(builder: GraphBuilder, openBatch: boolean): void {
  for (const node of builder.takeSince(0)) {
    const judge = Object.hasOwn(misjudged, node.opType) ? misjudged[node.opType] : undefined;
    const numbers = (i: number) => numbersOf(builder, node.inputs[i] ?? '');
    const result = judge?.({ node, openBatch, numbers }) ? rewrite(builder, node) : undefined;
    if (result === undefined) builder.add(node, []);
    else builder.emit('Identity', [result], {}, { outputs: [node.outputs[0] ?? ''] });
  }
}

function numbersOf(builder: GraphBuilder, name: string): readonly number[] | undefined {
  const tensor = name === '' ? undefined : builder.constant(name);
  return tensor && plainNumbers(tensor.data);
}

function rewrite(builder: GraphBuilder, node: Node): Value | undefined {
  const lookUp = (name: string) => (name === '' ? undefined : builder.value(name));
  const result = builder.scoped(node.name || node.opType, () =>
    loweringRuleOf(node.opType)?.({
      x: node.inputs.map(lookUp) as unknown as Inputs,
      y: node.outputs.map(lookUp) as unknown as Inputs,
      attributes: node.attributes,
      node,
      op: builder.op,
      emit: builder.emit,
      provider: 'cpu',
      has: (i) => (node.inputs[i] ?? '') !== '',
      needed: () => true,
      neededLater: () => true,
      leaves: () => true,
      producer: () => undefined,
      constant: (value) => numbersOf(builder, value.name),
      random: (shape) => builder.op.zeros({ type: 'float32', shape }),
    }),
  );
  return result !== undefined && 'name' in result ? result : result?.[0];
}
