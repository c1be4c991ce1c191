import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { encodeModel } from '../../onnx/encode-model.js';
import type { ValueInfo } from '../../onnx/ir.js';
import type { Runtime, SessionOptions } from '../../runtime/runtime.js';
import { fromTensor } from '../../runtime/tensors.js';
import type { Feeds } from '../api.js';
import type { FedValue, ModelSource } from '../source/source.js';
import {
  checkFeeds,
  checkLabels,
  findLabels,
  formOf,
  type LabelInput,
  withSwitches,
} from './checks.js';
import type { OpenDevice } from './device.js';
import { runtimeFailure } from './failures.js';
import type { ParameterAccess } from './parameters.js';

/** Runs the evaluation model on the parameters as they are, and exports them. */
export interface Evaluation {
  run(feeds: Feeds): Promise<Feeds>;
  /** Looks through a whole data set, [N, ...] by input, that is to be used in batches of such a size. */
  check(data: Feeds, batchSize: number | undefined): Promise<void>;
  export(outputs: readonly string[] | undefined): Uint8Array;
  release(): Promise<void>;
}

interface Opened {
  readonly session: InferenceSession;
  readonly inputs: readonly ValueInfo[];
  readonly parameters: readonly string[];
  readonly outputs: readonly string[];
}

const kept = 4;

/** Where evaluations run, and how parameters get there. */
interface EvaluationPlace {
  readonly device: () => OpenDevice;
  toDevice(keys: Iterable<string>): Promise<void>;
}

export function createEvaluation(
  runtime: Runtime,
  source: ModelSource,
  parameters: ParameterAccess,
  { device, toDevice }: EvaluationPlace,
): Evaluation {
  const cache = new Map<string, Opened>();
  let labels: readonly LabelInput[] | undefined;

  /** The training graph has the shapes that tell how many classes there are. */
  async function labelsIn(feeds: Feeds): Promise<readonly LabelInput[]> {
    if (source.inputs.some(({ name }) => feeds[name] === undefined)) return [];
    return labelsAmong(withSwitches(checkFeeds(feeds, source.inputs), feeds, source));
  }

  async function labelsAmong(values: readonly FedValue[]): Promise<readonly LabelInput[]> {
    const { builder, inputs } = await source.build(values);
    return findLabels(builder, inputs, source.ignoredLabel, device().execution.provider);
  }

  async function open(feeds: Feeds): Promise<Opened> {
    const { provider } = device().execution;
    const isDynamic = source.evaluationIsDynamic(provider);
    const form = isDynamic ? '' : formOf(feeds, source);
    const known = cache.get(form);
    if (known !== undefined) return known;
    const values = isDynamic
      ? []
      : withSwitches(checkFeeds(feeds, source.evalInputs), feeds, source);
    const { model, inputs, outputs } = await source.evaluation(values, provider);
    const opened: Opened = {
      session: await openSession(runtime, encodeModel(model), device().sessionOptions),
      inputs: model.graph.inputs.filter(({ name }) => inputs.includes(name)),
      parameters: model.graph.inputs
        .map(({ name }) => name)
        .filter((name) => source.parameters.has(name)),
      outputs,
    };
    cache.set(form, opened);
    for (const [oldest, { session }] of cache) {
      if (cache.size <= kept) break;
      cache.delete(oldest);
      await session.release();
    }
    return opened;
  }

  return {
    async run(feeds) {
      const { session, inputs, parameters: wanted, outputs } = await open(feeds);
      checkFeeds(feeds, inputs);
      labels ??= await labelsIn(feeds);
      checkLabels(labels, feeds);
      const all: Record<string, Tensor> = { ...feeds };
      await toDevice(wanted.map((name) => parameters.keys.get(name) ?? name));
      for (const name of wanted) all[name] = parameters.feed(name);
      try {
        const results = await session.run(all);
        return Object.fromEntries(outputs.map((name) => [name, results[name] as Tensor]));
      } catch (cause) {
        throw runtimeFailure('ONNX Runtime failed in an evaluation', cause);
      }
    },
    async check(data, batchSize) {
      const values = checkFeeds(firstBatch(data, source.inputs, batchSize), source.inputs);
      labels ??= await labelsAmong(withSwitches(values, data, source));
      checkLabels(labels, data);
    },
    export(outputs) {
      parameters.demandValues();
      const values = new Map(
        [...parameters.all()].map(([name, tensor]) => [name, fromTensor(tensor)]),
      );
      return encodeModel(source.exported(values, outputs));
    },
    async release() {
      for (const { session } of cache.values()) await session.release();
      cache.clear();
    },
  };
}

/** How many examples a batch has where nobody says it. */
const usualBatch = 32;

/** What the first batch of a data set would be, without its numbers. */
function firstBatch(
  data: Feeds,
  wanted: readonly ValueInfo[],
  batchSize: number | undefined,
): Feeds {
  const named = Object.entries(data);
  const fixed = wanted.map(({ shape }) => shape?.[0]).find((dim) => typeof dim === 'number');
  const length = named.map(([, { dims }]) => dims[0]).find((dim) => dim !== undefined) ?? 0;
  const batch = fixed ?? Math.min(batchSize ?? usualBatch, length);
  const shaped = named.map(([name, { type, dims }]) => {
    const first: Pick<Tensor, 'type' | 'dims'> = {
      type,
      dims: dims.length === 0 ? [] : [batch, ...dims.slice(1)],
    };
    return [name, first as Tensor] as const;
  });
  return Object.fromEntries(shaped);
}

async function openSession(
  runtime: Runtime,
  model: Uint8Array,
  options: SessionOptions,
): Promise<InferenceSession> {
  try {
    return await runtime.InferenceSession.create(model, options);
  } catch (cause) {
    throw runtimeFailure('ONNX Runtime refuses the evaluation model', cause);
  }
}
