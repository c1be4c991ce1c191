import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { elementCount, sameShape } from '../../graph/value.js';
import type { TensorData } from '../../onnx/ir.js';
import { copyTensor, zeros } from '../../onnx/tensor.js';
import { didYouMean } from '../../options/nearest.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor, toTensor } from '../../runtime/tensors.js';
import type { ModelSource } from '../source/source.js';
import type { StateStore } from './state-store.js';

/** Parameters by name, and all of them as one buffer. */
export interface ParameterAccess {
  /** Puts the first values into the store. */
  initialize(): void;
  /** The keys in the store, by name. */
  readonly keys: ReadonlyMap<string, string>;
  /** The tensor where it is, to be fed to a run. */
  feed(name: string): Tensor;
  /** @throws GradwareError INVALID_CHECKPOINT while a nominal checkpoint has no values yet */
  demandValues(): void;
  /** The tensor on the host, to which it has to have been brought. */
  get(name: string): Tensor;
  set(name: string, value: Tensor | TensorData): void;
  /** Sets several that are known to fit. */
  setAll(values: ReadonlyMap<string, TensorData>): void;
  /** Everything by name: trainable, frozen, running statistics. */
  all(): ReadonlyMap<string, Tensor>;
  size(trainableOnly: boolean): number;
  contiguous(trainableOnly: boolean): Tensor;
  load(buffer: Uint8Array, trainableOnly: boolean): void;
}

/** JavaScript gives anything. */
function requireValue(name: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && 'dims' in value && 'type' in value) return;
  throw new GradwareError('INVALID_DATA', `The value for "${name}" is no tensor`, {
    remedy: "Give new Tensor('float32', data, dims), or { type, dims, data }.",
  });
}

export function parameterAccess(
  runtime: Runtime,
  source: ModelSource,
  store: StateStore,
): ParameterAccess {
  const trainable = new Set(source.trainable);
  const statistics = new Set(source.statistics);
  let nominal = source.nominal;
  const keyOf = (name: string) => `${statistics.has(name) ? 'statistic' : 'parameter'}/${name}`;

  function specOf(name: string): TensorData {
    const known = source.parameters.get(name);
    if (known !== undefined) return known;
    throw new GradwareError('UNKNOWN_PARAMETER', `There is no parameter "${name}"`, {
      remedy: didYouMean(name, source.parameters.keys()),
    });
  }

  /** What shapes are made of is built into every step. */
  function refuseFixed(name: string, given: TensorData): void {
    const { data } = specOf(name);
    if (!source.fixed?.has(name) || given.data.every((value, i) => value === data[i])) return;
    throw new GradwareError('UNSUPPORTED', `"${name}" is part of the model and cannot be changed`, {
      where: source.file,
      remedy: 'Make the artifacts anew with the other value.',
    });
  }

  function demand(name: string): string {
    const initial = specOf(name);
    const key = keyOf(name);
    store.demand({
      key,
      value: { name, type: initial.type, shape: initial.dims },
      init: () => initial,
      next: undefined,
    });
    return key;
  }

  const get = (name: string) => store.get(demand(name)) as Tensor;

  function chosen(trainableOnly: boolean): readonly string[] {
    return [...source.parameters.keys()].filter((name) => !trainableOnly || trainable.has(name));
  }

  function floatsOnly(name: string): void {
    const { type } = specOf(name);
    if (type !== 'float32')
      throw new GradwareError(
        'UNSUPPORTED',
        `Contiguous parameters are float32, and "${name}" is ${type}`,
        {
          remedy: 'Use getParameter and setParameter.',
        },
      );
  }

  function size(trainableOnly: boolean): number {
    return chosen(trainableOnly).reduce(
      (total, name) => total + elementCount(specOf(name).dims),
      0,
    );
  }

  return {
    initialize() {
      for (const name of source.parameters.keys()) demand(name);
    },
    keys: new Map([...source.parameters.keys()].map((name) => [name, keyOf(name)])),
    feed: (name) => store.feed(demand(name)) as Tensor,
    demandValues() {
      if (!nominal) return;
      throw new GradwareError(
        'INVALID_CHECKPOINT',
        'A nominal checkpoint has names only: there are no values to work with',
        {
          where: source.file,
          remedy: 'Call loadParametersBuffer(buffer, false) with all parameters first.',
        },
      );
    },
    get,
    set(name, value) {
      const wanted = specOf(name);
      requireValue(name, value);
      const given: TensorData = 'location' in value ? fromTensor(value) : value;
      if (given.type !== wanted.type || !sameShape(given.dims, wanted.dims))
        throw new GradwareError(
          'INVALID_DATA',
          `"${name}" is ${wanted.type}[${wanted.dims}], not ${given.type}[${given.dims}]`,
          { remedy: 'Give a value of the type and shape of the parameter.' },
        );
      refuseFixed(name, given);
      store.set(keyOf(name), toTensor(runtime.Tensor, copyTensor(given)));
    },
    setAll(values) {
      for (const [name, tensor] of values) refuseFixed(name, tensor);
      for (const [name, tensor] of values)
        store.set(keyOf(name), toTensor(runtime.Tensor, copyTensor(tensor)));
      if (values.size === source.parameters.size) nominal = false;
    },
    all: () => new Map([...source.parameters.keys()].map((name) => [name, get(name)])),
    size,
    contiguous(trainableOnly) {
      const all = new Float32Array(size(trainableOnly));
      let at = 0;
      for (const name of chosen(trainableOnly)) {
        floatsOnly(name);
        const data = get(name).data as Float32Array;
        all.set(data, at);
        at += data.length;
      }
      return toTensor(runtime.Tensor, { type: 'float32', data: all, dims: [all.length] });
    },
    load(buffer, trainableOnly) {
      const wanted = size(trainableOnly) * Float32Array.BYTES_PER_ELEMENT;
      if (buffer?.byteLength !== wanted)
        throw new GradwareError(
          'INVALID_DATA',
          `The parameters take ${wanted} bytes, and the buffer has ${buffer?.byteLength}`,
          {
            remedy: 'Give what getContiguousParameters returned, with the same trainableOnly.',
          },
        );
      // A copy, because the bytes of a Uint8Array need not be aligned.
      const copy: Uint8Array | ArrayBuffer = buffer.slice(0);
      const all = new Float32Array('buffer' in copy ? copy.buffer : copy);
      let at = 0;
      for (const name of chosen(trainableOnly)) {
        floatsOnly(name);
        const { type, dims } = specOf(name);
        const own = zeros(type, dims);
        (own.data as Float32Array).set(all.subarray(at, at + own.data.length));
        store.set(keyOf(name), toTensor(runtime.Tensor, own));
        at += own.data.length;
      }
      if (!trainableOnly) nominal = false;
    },
  };
}
