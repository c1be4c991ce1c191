import { GradwareError } from '../errors.js';
import type { Op } from '../graph/builder.js';
import { elementCount, normalizeAxis, type Value } from '../graph/value.js';
import { constant, integer, type Kind } from '../options/options.js';
import { type LossContext, onlyPrediction } from './loss.js';

const whole = integer(Number.MIN_SAFE_INTEGER);

const weights: Kind<readonly number[]> = {
  describe: 'a list of numbers >= 0',
  accepts: (value): value is readonly number[] =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((each) => Number.isFinite(each) && each >= 0),
};

/** Options of all losses over classes. */
export const classOptions = {
  classWeights: constant(weights, undefined, 'how much each class counts'),
  ignoreIndex: constant(whole, undefined, 'label that does not count'),
  axis: constant(whole, 1, 'axis of the classes'),
};

/** Scores with the classes at axis 1, where ONNX's losses have them, and the labels that go with them. */
export interface ClassScores {
  readonly scores: Value;
  readonly labels: Value;
  readonly classes: number;
  /** One number for each class. */
  readonly weights: Value | undefined;
}

interface ClassOptions {
  readonly classWeights: readonly number[] | undefined;
  readonly axis: number;
}

/** The prediction as scores of classes, and the input `labels`: its shape without the class axis.
 *  @throws GradwareError INVALID_MODEL where prediction or labels have another shape, INVALID_OPTION where there are
 *  not as many weights as classes */
export function classScores(
  loss: string,
  context: LossContext,
  { classWeights, axis: given }: ClassOptions,
): ClassScores {
  const { op } = context;
  const prediction = onlyPrediction(loss, context.predictions);
  const rank = prediction.shape.length;
  const axis = normalizeAxis(given, rank);
  const classes = prediction.shape[axis];
  if (classes === undefined || (rank === 1 && given === 1))
    throw new GradwareError('INVALID_MODEL', `The loss ${loss} needs scores [N, classes, ...]`, {
      where: `prediction ${prediction.name} of shape [${prediction.shape}], axis ${given}`,
      remedy:
        'Use a loss for plain numbers (mse), name the axis of the classes, or choose another output with lossInputNames.',
    });
  const wanted = prediction.shape.filter((_, a) => a !== axis);
  const labels = context.target('labels', 'int64', wanted);
  if (labels.shape.join() !== wanted.join() || !/^int(32|64)$/.test(labels.type))
    throw new GradwareError(
      'INVALID_MODEL',
      `The loss ${loss} needs labels int64[${wanted}], not ${labels.type}[${labels.shape}]`,
      { where: `input ${labels.name}`, remedy: 'Change this input of the model, or its name.' },
    );
  if (classWeights !== undefined && classWeights.length !== classes)
    throw new GradwareError(
      'INVALID_OPTION',
      `${loss}.classWeights has ${classWeights.length} numbers for ${classes} classes`,
      {
        where: `prediction ${prediction.name} of shape [${prediction.shape}]`,
        remedy: 'Give one number for each class.',
      },
    );
  const weights = classWeights && weightsOf(op, prediction, classWeights);
  return { ...toAxisOne(op, prediction, labels, axis), classes, weights };
}

function weightsOf(op: Op, { type }: Value, numbers: readonly number[]): Value {
  const plain = op.constant({
    type: 'float32',
    dims: [numbers.length],
    data: Float32Array.from(numbers),
  });
  return op.cast(plain, type);
}

function toAxisOne(op: Op, scores: Value, labels: Value, axis: number) {
  if (axis === 1) return { scores, labels };
  const rank = scores.shape.length;
  if (axis === rank - 1) {
    // The last axis need not move: all others become one.
    const rows = elementCount(labels.shape);
    return {
      scores: op.reshape(scores, [rows, scores.shape[axis] ?? 0]),
      labels: op.reshape(labels, [rows]),
    };
  }
  const others = scores.shape.map((_, a) => a).filter((a) => a !== axis);
  const [first = 0, ...rest] = others;
  return { scores: op.transpose(scores, [first, axis, ...rest]), labels };
}

/** How much the labels of a batch count together: what a mean divides by. */
export interface Share {
  /** Whether it is 0: all of them are ignored, or weigh nothing. */
  readonly none: Value;
  /** It itself; 1 where it is 0, so that the mean is. */
  readonly divisor: Value;
}

/** Undefined where all labels count alike, whatever they are. */
export function shareOf(
  op: Op,
  { scores, labels, weights }: ClassScores,
  ignoreIndex: number | undefined,
): Share | undefined {
  const counts =
    ignoreIndex === undefined
      ? undefined
      : op.cast(op.Not(op.Equal(labels, ignoreIndex)), scores.type);
  // What does not count may be no class at all.
  const safe = counts ? op.Mul(labels, op.cast(counts, labels.type)) : labels;
  const own = weights && op.Gather(weights, safe, { axis: 0 });
  const shares = own && counts ? op.Mul(own, counts) : (own ?? counts);
  if (shares === undefined) return undefined;
  const total = op.sum(shares);
  const none = op.Equal(total, 0);
  return { none, divisor: op.Where(none, 1, total) };
}
