import { InferenceSession } from 'onnxruntime-node';
import { numbersOf, tensorOf } from '../../packages/core/src/graph/constants.js';
import { lossByName } from '../../packages/core/src/losses/index.js';
import { nodeRuntime } from '../../packages/core/src/node.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { toTensor } from '../../packages/core/src/runtime/tensors.js';
import { generator } from './compare.js';
import { modelGradients, type Tensors } from './model-gradients.js';

const list = (tensor: TensorData | undefined) => numbersOf(tensor as TensorData) ?? [];

/** The mean square of a model's output `logits`, as stock ONNX Runtime runs the model itself. */
async function meanSquare(model: Model, data: Tensors, weights: Tensors): Promise<number> {
  const initializers = new Map([...model.graph.initializers, ...weights]);
  const bytes = encodeModel({ ...model, graph: { ...model.graph, initializers } });
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const results = await session.run(
    Object.fromEntries(
      session.inputNames.map((name) => [
        name,
        toTensor(nodeRuntime.Tensor, data.get(name) as TensorData),
      ]),
    ),
    ['logits'],
  );
  await session.release();
  const numbers = Array.from(results.logits?.data as Float32Array);
  return numbers.reduce((sum, x) => sum + x * x, 0) / numbers.length;
}

export interface ModelDifference {
  readonly parameter: string;
  readonly numeric: number;
  readonly analytic: number;
}

/** The gradient of every float weight of a model along a random direction, and the central difference of the model as
 *  ONNX Runtime runs it. The loss is the mean square of the output `logits`.
 *  @returns the loss as we and as ONNX Runtime compute it, and the pairs */
export async function modelDifferences(
  model: Model,
  data: Tensors,
  outputShape: readonly number[],
  { step = 5e-3, longestUnrolled }: { step?: number; longestUnrolled?: number | undefined } = {},
): Promise<{ losses: readonly [number, number]; pairs: readonly ModelDifference[] }> {
  const count = outputShape.reduce((a, b) => a * b, 1);
  const target = tensorOf('float32', Array<number>(count).fill(0), outputShape);
  const fed = new Map([...data, ['target', target]] as const);
  const { loss, gradients } = await modelGradients(
    model,
    fed,
    lossByName('mse'),
    [],
    longestUnrolled,
  );
  const random = generator(11);
  const pairs: ModelDifference[] = [];
  for (const [parameter, gradient] of gradients) {
    const start = list(model.graph.initializers.get(parameter));
    const direction = list(random(...gradient.dims)).map((x) => Math.sign(x) * (0.5 + Math.abs(x)));
    const at = (sign: number) => {
      const moved = start.map((x, i) => x + sign * step * (direction[i] ?? 0));
      const weights = new Map([[parameter, tensorOf('float32', moved, gradient.dims)]]);
      return meanSquare(model, data, weights);
    };
    const numeric = ((await at(1)) - (await at(-1))) / (2 * step);
    const analytic = list(gradient).reduce((sum, g, i) => sum + g * (direction[i] ?? 0), 0);
    pairs.push({ parameter, numeric, analytic });
  }
  return { losses: [loss, await meanSquare(model, data, new Map())], pairs };
}
