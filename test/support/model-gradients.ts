import { differentiate } from '../../packages/core/src/gradients/differentiate.js';
import { inferTypes } from '../../packages/core/src/graph/infer.js';
import { upgradeModel } from '../../packages/core/src/graph/upgrade.js';
import type { Value } from '../../packages/core/src/graph/value.js';
import type { Loss } from '../../packages/core/src/losses/loss.js';
import { lower } from '../../packages/core/src/lowering/lower.js';
import { nodeRuntime } from '../../packages/core/src/node.js';
import type { Model, Node, TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { createShapeOracle } from '../../packages/core/src/runtime/shape-oracle.js';
import { fromTensor, toTensor } from '../../packages/core/src/runtime/tensors.js';
import { sinkSelects } from '../../packages/core/src/step/sink.js';

export type Tensors = ReadonlyMap<string, TensorData>;

export interface ModelGradients {
  /** The training graph, before it is lowered. */
  readonly nodes: readonly Node[];
  readonly loss: number;
  /** By the name of what they are the gradients of: floating-point initializers, and `wrt`. */
  readonly gradients: Tensors;
}

const value = (name: string, { type, dims }: TensorData): Value => ({ name, type, shape: dims });

/** Differentiates a forward model with a loss on its output `logits`, and runs it on stock ONNX Runtime. */
export async function modelGradients(
  model: Model,
  data: Tensors,
  loss: Loss,
  wrt: readonly string[] = [],
  longestUnrolled?: number,
): Promise<ModelGradients> {
  const { graph } = upgradeModel(model);
  const parameters = new Map(
    [...graph.initializers].filter(([, { type, dims }]) => type === 'float32' && dims.length > 0),
  );
  const others = new Map([...graph.initializers].filter(([name]) => !parameters.has(name)));
  const given = graph.inputs.flatMap(({ name }) => [...data].filter(([input]) => input === name));
  const builder = await inferTypes(
    { ...graph, initializers: others },
    [...given, ...parameters].map(([name, tensor]) => value(name, tensor)),
    createShapeOracle(nodeRuntime),
  );
  const targets = new Map<string, TensorData>();
  const total = loss.build({
    op: builder.op,
    builder,
    predictions: [builder.value('logits')],
    target(name) {
      const tensor = data.get(name);
      if (tensor === undefined) throw new Error(`no data for ${name}`);
      targets.set(name, tensor);
      return builder.declare(value(name, tensor));
    },
  });
  const { gradients } = differentiate(builder, total, [...parameters.keys(), ...wrt], {
    longestUnrolled,
  });
  const dialect = [...builder.nodes];
  const outputs = [total, ...gradients.values()];
  const names = outputs.map(({ name }) => name);
  const lowered = lower(builder, names, {
    provider: 'cpu',
    random: () => {
      throw new Error('nothing in these models is random');
    },
  });
  const feeds = new Map([...given, ...parameters, ...targets]);
  const bytes = encodeModel({
    ...model,
    opsets: new Map([
      ['', 21],
      ['com.microsoft', 1],
    ]),
    irVersion: 10,
    graph: {
      name: 'gradients',
      nodes: sinkSelects(lowered, names),
      inputs: [...feeds].map(([name, tensor]) => value(name, tensor)),
      outputs,
      initializers: builder.initializers,
      valueInfo: new Map(),
    },
  });
  const results = await run(bytes, feeds);
  const named = [...gradients].map(
    ([name, gradient]) => [name, results.get(gradient.name)] as const,
  );
  return {
    nodes: dialect,
    loss: Number(results.get(total.name)?.data[0]),
    gradients: new Map(named.flatMap(([name, tensor]) => (tensor ? [[name, tensor]] : []))),
  };
}

async function run(bytes: Uint8Array, feeds: Tensors): Promise<Tensors> {
  const session = await nodeRuntime.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const results = await session.run(
    Object.fromEntries(
      [...feeds].map(([name, tensor]) => [name, toTensor(nodeRuntime.Tensor, tensor)]),
    ),
  );
  await session.release();
  return new Map(Object.entries(results).map(([name, tensor]) => [name, fromTensor(tensor)]));
}
