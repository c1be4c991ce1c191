import { GradwareError } from '../../errors.js';
import type { Node } from '../../onnx/ir.js';
import type { Op } from '../builder.js';
import type { PlainAttributes, Value } from '../value.js';

/** An activation of a recurrent op, and how many of its numbers come from `activation_alpha` and `activation_beta`. */
interface Kind {
  readonly apply: (op: Op, x: Value, alpha: number, beta: number) => Value;
  readonly alpha?: number;
  readonly beta?: number;
}

/** ONNX's list, with its defaults. */
const kinds: Readonly<Record<string, Kind>> = {
  affine: {
    apply: (op, x, alpha, beta) => op.Add(op.Mul(x, alpha), beta),
    alpha: 1,
    beta: 0,
  },
  elu: { apply: (op, x, alpha) => op.Elu(x, { alpha }), alpha: 1 },
  hardsigmoid: {
    apply: (op, x, alpha, beta) => op.HardSigmoid(x, { alpha, beta }),
    alpha: 0.2,
    beta: 0.5,
  },
  leakyrelu: { apply: (op, x, alpha) => op.LeakyRelu(x, { alpha }), alpha: 0.01 },
  relu: { apply: (op, x) => op.Relu(x) },
  scaledtanh: {
    apply: (op, x, alpha, beta) => op.Mul(op.Tanh(op.Mul(x, beta)), alpha),
    alpha: 1,
    beta: 1,
  },
  sigmoid: { apply: (op, x) => op.Sigmoid(x) },
  softplus: { apply: (op, x) => op.Softplus(x) },
  softsign: { apply: (op, x) => op.Softsign(x) },
  tanh: { apply: (op, x) => op.Tanh(x) },
  thresholdedrelu: { apply: (op, x, alpha) => op.ThresholdedRelu(x, { alpha }), alpha: 1 },
};

export type Activation = (x: Value) => Value;

function floatsOf(attributes: PlainAttributes, name: string): readonly number[] {
  const attribute = attributes[name];
  return attribute?.type === 'floats' ? attribute.value : [];
}

/** The activations of every direction in turn, each with its own numbers: those that take an alpha (or a beta)
 *  consume the list in order, as ONNX Runtime does. */
export function activationsOf(
  op: Op,
  node: Node,
  defaults: readonly string[],
  directions: number,
): readonly Activation[] {
  const given = node.attributes.activations;
  const named =
    given?.type === 'strings' && given.value.length > 0
      ? given.value
      : Array.from({ length: directions }, () => defaults).flat();
  const alphas = [...floatsOf(node.attributes, 'activation_alpha')];
  const betas = [...floatsOf(node.attributes, 'activation_beta')];
  return named.map((name) => {
    const key = name.toLowerCase();
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    if (kind === undefined)
      throw new GradwareError('NO_GRADIENT', `${node.opType} with activation "${name}"`, {
        where: `node ${node.name}`,
        remedy: `Known are ${Object.keys(kinds).join(', ')}.`,
      });
    const alpha = kind.alpha === undefined ? 0 : (alphas.shift() ?? kind.alpha);
    const beta = kind.beta === undefined ? 0 : (betas.shift() ?? kind.beta);
    return (x) => kind.apply(op, x, alpha, beta);
  });
}

/** Whether gates that stand side by side may go through their activation together. */
export function isUniform(node: Node): boolean {
  return node.attributes.activations === undefined;
}
