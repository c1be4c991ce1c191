import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { nodeRuntime } from '../../packages/core/src/node.js';
import type { Model, TensorData } from '../../packages/core/src/onnx/ir.js';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import type { Runtime, SessionOptions } from '../../packages/core/src/runtime/runtime.js';
import { fromTensor } from '../../packages/core/src/runtime/tensors.js';

export type Tensors = ReadonlyMap<string, TensorData>;

/** A graph as it is written for one provider, what it is fed, and what the CPU makes of it. */
export interface Piece {
  readonly name: string;
  readonly model: Model;
  readonly feeds: Tensors;
  readonly wanted: Tensors;
  /** How far results may lie apart, as a part of a tensor's largest number. */
  readonly tolerance: number;
}

export interface Recording {
  /** onnxruntime-node, that runs on the CPU what it is told to run on the provider. */
  readonly runtime: Runtime;
  /** Every graph that was opened for the provider, with the feeds and the results of its last run. */
  pieces(name: string, tolerance: number): readonly Piece[];
}

interface Recorded {
  readonly bytes: Uint8Array;
  readonly feeds: Tensors;
  readonly wanted: Tensors;
}

/** Sessions for `provider` that compute on the CPU and remember: so that many graphs of a table can be put into one
 *  model, and run where the provider is. */
export function record(provider: Provider): Recording {
  const recorded = new Map<object, Recorded>();
  const { InferenceSession } = nodeRuntime;

  async function create(bytes: Uint8Array, options: SessionOptions = {}) {
    const { preferredOutputLocation: _, ...others } = options;
    const session = await InferenceSession.create(bytes, {
      ...others,
      executionProviders: ['cpu'],
      extra: {},
    });
    const [wanted] = options.executionProviders ?? [];
    if ((typeof wanted === 'string' ? wanted : wanted?.name) !== provider) return session;
    const run: typeof session.run = async (feeds: Parameters<typeof session.run>[0]) => {
      const results = await session.run(feeds);
      recorded.set(session, { bytes, feeds: tensors(feeds), wanted: tensors(results) });
      return results;
    };
    return new Proxy(session, {
      get: (target, key) => {
        if (key === 'run') return run;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  return {
    runtime: { ...nodeRuntime, InferenceSession: { create } as Runtime['InferenceSession'] },
    pieces: (name, tolerance) =>
      [...recorded.values()].flatMap(({ bytes, feeds, wanted }, i) => {
        const model = decodeModel(bytes);
        if (model.graph.name === 'probe') return [];
        return [{ name: i === 0 ? name : `${name}, graph ${i}`, model, feeds, wanted, tolerance }];
      }),
  };
}

function tensors(given: Readonly<Record<string, unknown>>): Tensors {
  return new Map(
    Object.entries(given).map(([name, tensor]) => {
      const { type, dims, data } = fromTensor(tensor as Parameters<typeof fromTensor>[0]);
      return [name, { type, dims: [...dims], data }];
    }),
  );
}
