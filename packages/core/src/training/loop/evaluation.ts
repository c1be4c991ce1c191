import { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import type { Feeds, TrainingSession } from '../api.js';

export interface EvaluationOptions {
  /** Examples in one run. Default 256, or all where there are fewer. */
  readonly batchSize?: number | undefined;
  /** Leaves out a last, smaller batch: for models made for one batch size. Default false. */
  readonly dropLast?: boolean | undefined;
  /** The input that holds the classes. Default: the only integer input of one number an example. */
  readonly labels?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How well a model does on a data set. */
export interface Evaluation {
  /** The mean over the examples. */
  readonly loss: number;
  /** The share of examples whose class has the highest score; for classification only. */
  readonly accuracy?: number | undefined;
  readonly examples: number;
}

/** Runs the evaluation model over a whole data set ([N, ...] by input name), in its order.
 *  Where an output has scores [B, C, ...] for integer classes [B, ...], it counts how often the highest is
 *  the right one.
 *  @throws GradwareError ABORTED between two batches */
export async function evaluate(
  session: Pick<TrainingSession, 'evalInputNames' | 'evalOutputNames' | 'runEvalStep'>,
  data: Feeds,
  options: EvaluationOptions = {},
): Promise<Evaluation> {
  const given = session.evalInputNames.flatMap((name): [string, Tensor][] =>
    data[name] === undefined ? [] : [[name, data[name]]],
  );
  const length = given[0]?.[1].dims[0] ?? 0;
  const batchSize = Math.min(options.batchSize ?? 256, length);
  const examples = options.dropLast === true ? length - (length % batchSize) : length;
  const [lossName = ''] = session.evalOutputNames;
  const labelName = options.labels ?? onlyClasses(given);
  const total = { loss: 0, right: 0, judged: 0 };
  for (let start = 0; start < examples; start += batchSize) {
    if (options.signal?.aborted)
      throw new GradwareError('ABORTED', `The evaluation stopped after ${start} examples`);
    const size = Math.min(batchSize, examples - start);
    const batch = Object.fromEntries(
      given.map(([name, tensor]) => [name, sliceRows(tensor, start, start + size)]),
    );
    const outputs = await session.runEvalStep(batch);
    total.loss += Number(outputs[lossName]?.data[0]) * size;
    const labels = labelName === undefined ? undefined : batch[labelName];
    const scores = labels && findScores(outputs, lossName, labels);
    if (labels === undefined || scores === undefined) continue;
    const count = countRight(scores, labels);
    total.right += count.right;
    total.judged += count.judged;
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
const floats: ReadonlySet<string> = new Set(['float32', 'float64']);

function onlyClasses(feeds: readonly (readonly [string, Tensor])[]): string | undefined {
  const found = feeds.filter(([, { type, dims }]) => integers.has(type) && dims.length === 1);
  return found.length === 1 ? found[0]?.[0] : undefined;
}

/** The only output that has one score per class for each label: [B, C] for [B], [B, C, D] for [B, D]. */
function findScores(outputs: Feeds, lossName: string, labels: Tensor): Tensor | undefined {
  if (!integers.has(labels.type)) return undefined;
  const found = Object.entries(outputs).filter(([name, { type, dims }]) => {
    const [batch, classes = 0, ...rest] = dims;
    const wanted = [batch, ...rest];
    const fits =
      wanted.length === labels.dims.length && wanted.every((n, i) => n === labels.dims[i]);
    return name !== lossName && floats.has(type) && classes > 1 && fits;
  });
  return found.length === 1 ? found[0]?.[1] : undefined;
}

/** Labels that are no class (such as an ignored -100) are not judged; of equal scores the first wins. */
function countRight(scores: Tensor, labels: Tensor): { right: number; judged: number } {
  const [batch = 0, classes = 0, ...rest] = scores.dims;
  const places = rest.reduce((product, n) => product * n, 1);
  const values = scores.data as Float32Array | Float64Array;
  let right = 0;
  let judged = 0;
  for (let i = 0; i < batch * places; i++) {
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
