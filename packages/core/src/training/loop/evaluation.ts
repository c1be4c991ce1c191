import { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { numbersOf } from '../../onnx/convert-floats.js';
import type { Feeds, TrainingSession } from '../api.js';

export interface EvaluationOptions {
  /** Examples in one run. Default 256, or all where there are fewer. */
  readonly batchSize?: number | undefined;
  /** Leaves out a last, smaller batch: for models made for one batch size. Default false. */
  readonly dropLast?: boolean | undefined;
  /** The input that holds the classes. Default: the only integer input of one number an example. */
  readonly labels?: string | undefined;
  /** For yes or no, or several of them an example: a score above it means yes (0 for logits, 0.5 for probabilities), and
   *  a label above 0.5. The accuracy is then the share of right answers. */
  readonly threshold?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How well a model does on a data set. */
export interface Evaluation {
  /** The mean over the examples. */
  readonly loss: number;
  /** The share of examples whose class has the highest score, or of right answers where there is a threshold; for
   *  classification only. */
  readonly accuracy?: number | undefined;
  readonly examples: number;
}

/** Runs the evaluation model over a whole data set ([N, ...] by input name), in its order.
 *  Where an output has scores [B, C, ...] or [B, ..., C] for integer classes [B, ...], it counts how often the highest
 *  is the right one.
 *  @throws GradwareError ABORTED between two batches */
export async function evaluate(
  session: Pick<
    TrainingSession,
    'evalInputNames' | 'evalOutputNames' | 'scoreNames' | 'runEvalStep'
  >,
  data: Feeds,
  options: EvaluationOptions = {},
): Promise<Evaluation> {
  const given = session.evalInputNames.flatMap((name): [string, Tensor][] =>
    data[name] === undefined ? [] : [[name, data[name]]],
  );
  const withRows = given.filter(([, { dims }]) => dims.length > 0);
  const length = withRows[0]?.[1].dims[0] ?? 0;
  const batchSize = Math.min(options.batchSize ?? 256, length);
  const examples = options.dropLast === true ? length - (length % batchSize) : length;
  const [lossName = ''] = session.evalOutputNames;
  const labelName = options.labels ?? onlyClasses(withRows);
  const isAnswer = (name: string) =>
    name !== lossName &&
    (options.threshold !== undefined || (session.scoreNames?.includes(name) ?? true));
  const total = { loss: 0, right: 0, judged: 0 };
  for (let start = 0; start < examples; start += batchSize) {
    if (options.signal?.aborted)
      throw new GradwareError('ABORTED', `The evaluation stopped after ${start} examples`);
    const size = Math.min(batchSize, examples - start);
    const batch = Object.fromEntries(
      given.map(([name, tensor]) => [
        name,
        tensor.dims.length === 0 ? tensor : sliceRows(tensor, start, start + size),
      ]),
    );
    const outputs = await session.runEvalStep(batch);
    total.loss += Number(numbersOf(outputs[lossName])[0]) * size;
    const labels = labelName === undefined ? undefined : batch[labelName];
    const count =
      labels === undefined ? undefined : judge(outputs, isAnswer, labels, options.threshold);
    total.right += count?.right ?? 0;
    total.judged += count?.judged ?? 0;
  }
  return {
    loss: total.loss / examples,
    ...(total.judged > 0 && { accuracy: total.right / total.judged }),
    examples,
  };
}

/** Rows [start, end) of a tensor [N, ...], in the same memory. */
function sliceRows({ type, dims, data, size }: Tensor, start: number, end: number): Tensor {
  const [length = 1, ...example] = dims;
  const width = size / Math.max(1, length);
  const [from, to] = [start * width, end * width];
  const rows = 'subarray' in data ? data.subarray(from, to) : data.slice(from, to);
  return new Tensor(type, rows as Float32Array, [end - start, ...example]);
}

const integers: ReadonlySet<string> = new Set([
  ...['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64'],
]);
const floats: ReadonlySet<string> = new Set(['float16', 'float32', 'float64']);

function onlyClasses(feeds: readonly (readonly [string, Tensor])[]): string | undefined {
  const found = feeds.filter(([, { type, dims }]) => integers.has(type) && dims.length === 1);
  return found.length === 1 ? found[0]?.[0] : undefined;
}

interface Judged {
  readonly right: number;
  readonly judged: number;
}

function judge(
  outputs: Feeds,
  isAnswer: (name: string) => boolean,
  labels: Tensor,
  threshold: number | undefined,
): Judged | undefined {
  const scores = Object.entries(outputs).flatMap(([name, tensor]) =>
    isAnswer(name) && floats.has(tensor.type) ? [tensor] : [],
  );
  if (threshold !== undefined) {
    const same = scores.filter(({ dims }) => `${dims}` === `${labels.dims}`);
    return same[0] && same.length === 1 ? countAnswers(same[0], labels, threshold) : undefined;
  }
  if (!integers.has(labels.type)) return undefined;
  const found = scores.flatMap((tensor) =>
    classAxes(tensor.dims, labels.dims).map((axis) => ({ tensor, axis })),
  );
  const [only] = found;
  return only && found.length === 1 ? countRight(only.tensor, only.axis, labels) : undefined;
}

/** Where the classes may be: at axis 1, as in ONNX, or at the last, as in language models. */
function classAxes(scores: readonly number[], labels: readonly number[]): readonly number[] {
  return [...new Set([1, scores.length - 1])].filter(
    (axis) =>
      scores.length > 1 &&
      (scores[axis] ?? 0) > 1 &&
      `${scores.filter((_, i) => i !== axis)}` === `${labels}`,
  );
}

function countAnswers(scores: Tensor, labels: Tensor, threshold: number): Judged {
  const [given, wanted] = [numbersOf(scores), numbersOf(labels)];
  let right = 0;
  for (let i = 0; i < given.length; i++)
    if ((given[i] ?? 0) > threshold === Number(wanted[i]) > 0.5) right++;
  return { right, judged: given.length };
}

/** Labels that are no class (such as an ignored -100) are not judged; of equal scores the first wins. */
function countRight(scores: Tensor, axis: number, labels: Tensor): Judged {
  const classes = scores.dims[axis] ?? 0;
  const places = scores.dims.slice(axis + 1).reduce((product, n) => product * n, 1);
  const values = numbersOf(scores);
  let right = 0;
  let judged = 0;
  for (let i = 0; i < labels.data.length; i++) {
    const label = Number(labels.data[i]);
    if (label < 0 || label >= classes) continue;
    const first = Math.floor(i / places) * classes * places + (i % places);
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if ((values[first + c * places] ?? 0) > (values[first + best * places] ?? 0)) best = c;
    }
    judged++;
    if (best === label) right++;
  }
  return { right, judged };
}
