import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../../errors.js';
import { sameShape, type Value } from '../../graph/value.js';
import type { TensorData } from '../../onnx/ir.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor, toTensor } from '../../runtime/tensors.js';
import type { Transfer } from '../../runtime/transfer.js';
import type { StateSpec } from '../../step/program.js';
import { runtimeFailure } from './failures.js';

/** Every tensor that lives from step to step, under its key in checkpoints. With a GPU they live there, and the host
 *  has copies of those that somebody asked for since they last changed. */
export interface StateStore {
  has(key: string): boolean;
  /** The tensor on the host: where it may be on a device only, `toHost` has to be called before. */
  get(key: string): Tensor | undefined;
  /** The tensor where it is, to be fed to a run. */
  feed(key: string): Tensor | undefined;
  /** Makes sure that a state is there; created as it says, or from what a checkpoint brought, where it is new. */
  demand(spec: StateSpec): void;
  set(key: string, tensor: Tensor): void;
  /** Takes what a step made of the state; what it replaces on a device is freed. */
  commit(next: ReadonlyMap<string, Tensor>): void;
  /** Whether tensors of this type and shape stay on a device. */
  resides(value: Value): boolean;
  /** Brings states to the device, where there is one. */
  toDevice(keys: Iterable<string>): Promise<void>;
  /** Brings copies of states to the host; of all where no keys are given. */
  toHost(keys?: Iterable<string>): Promise<void>;
  /** Everything, as it is on the host, what is not yet in use included. */
  snapshot(): ReadonlyMap<string, TensorData>;
  /** Replaces everything but what `keep` names. */
  restore(tensors: ReadonlyMap<string, TensorData>): void;
  clear(): void;
}

interface Place {
  readonly host?: Tensor | undefined;
  readonly device?: Tensor | undefined;
}

/** @param transfer the way to the device that states live on; none where that is the host */
export function createStateStore(
  runtime: Runtime,
  transfer: () => Transfer | undefined,
): StateStore {
  const places = new Map<string, Place>();
  /** What a checkpoint brought, until the step that uses it is compiled. */
  let waiting = new Map<string, TensorData>();

  function hostTensor(key: string): Tensor | undefined {
    const place = places.get(key);
    if (place !== undefined && place.host === undefined)
      throw new GradwareError('RUNTIME', `${key} is on the device, and was not brought back`);
    return place?.host;
  }

  function put(next: ReadonlyMap<string, Place>): void {
    const replaced = [...next.keys()].flatMap((key) => places.get(key)?.device ?? []);
    for (const [key, place] of next) places.set(key, place);
    free(replaced);
  }

  /** Two states may share a tensor. A device that is lost has nothing left to free. */
  function free(tensors: readonly Tensor[]): void {
    const used = new Set([...places.values()].map(({ device }) => device));
    for (const tensor of new Set(tensors)) if (!used.has(tensor)) dispose(tensor);
  }

  function clear(): void {
    const all = [...places.values()].flatMap(({ device }) => device ?? []);
    places.clear();
    free(all);
  }

  return {
    has: (key) => places.has(key),
    get: hostTensor,
    feed: (key) => places.get(key)?.device ?? places.get(key)?.host,
    demand({ key, value, init }) {
      if (places.has(key)) return;
      const brought = waiting.get(key);
      if (brought !== undefined) checkFits(key, value, brought);
      waiting.delete(key);
      places.set(key, { host: toTensor(runtime.Tensor, brought ?? init()) });
    },
    set: (key, tensor) => put(new Map([[key, placeOf(tensor)]])),
    commit: (next) => put(new Map([...next].map(([key, tensor]) => [key, placeOf(tensor)]))),
    resides: ({ type, shape }) => transfer()?.holds(type, shape) ?? false,
    async toDevice(keys) {
      const way = transfer();
      if (way === undefined) return;
      for (const key of keys) {
        const { host, device } = places.get(key) ?? {};
        if (host === undefined || device !== undefined || !way.holds(host.type, host.dims))
          continue;
        places.set(key, { host, device: await moved('to the device', way.upload(host)) });
      }
    },
    async toHost(keys = places.keys()) {
      for (const key of [...keys]) {
        const { host, device } = places.get(key) ?? {};
        if (host !== undefined || device === undefined) continue;
        const way = transfer();
        if (way === undefined) continue;
        places.set(key, { host: await moved('to the host', way.download(device)), device });
      }
    },
    snapshot: () =>
      new Map([
        ...waiting,
        ...[...places.keys()].map((key) => [key, fromTensor(hostTensor(key) as Tensor)] as const),
      ]),
    restore(given) {
      clear();
      waiting = new Map(given);
    },
    clear() {
      clear();
      waiting.clear();
    },
  };
}

/** @throws GradwareError that says whether the device was lost on the way */
async function moved(where: string, copy: Promise<Tensor>): Promise<Tensor> {
  return copy.catch((cause: unknown) => {
    throw runtimeFailure(`ONNX Runtime brought no copy ${where}`, cause);
  });
}

function placeOf(tensor: Tensor): Place {
  return tensor.location === 'gpu-buffer' ? { device: tensor } : { host: tensor };
}

/** Frees a tensor on a device. */
export function dispose(tensor: Tensor): void {
  if (tensor.location === 'gpu-buffer') tensor.dispose();
}

function checkFits(key: string, value: Value, tensor: TensorData): void {
  if (tensor.type === value.type && sameShape(tensor.dims, value.shape)) return;
  throw new GradwareError(
    'INVALID_CHECKPOINT',
    `The checkpoint has ${tensor.type}[${tensor.dims}] for ${key}, and the session needs ${value.type}[${value.shape}]`,
    { remedy: 'Use the chain, the optimizer and the model that the checkpoint was saved with.' },
  );
}
