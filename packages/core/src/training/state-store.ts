import type { Tensor } from 'onnxruntime-common';
import { GradwareError } from '../errors.js';
import { sameShape, type Value } from '../graph/value.js';
import type { TensorData } from '../onnx/ir.js';
import type { Runtime } from '../runtime/runtime.js';
import { fromTensor, toTensor } from '../runtime/tensors.js';
import type { StateSpec } from '../step/program.js';

/** Every tensor that lives from step to step, under its key in checkpoints. */
export interface StateStore {
  get(key: string): Tensor | undefined;
  /** The tensor of a state; created as it says, or from what a checkpoint brought, where it is new. */
  demand(spec: StateSpec): Tensor;
  set(key: string, tensor: Tensor): void;
  /** Host copies of everything, what is not yet in use included. */
  snapshot(): ReadonlyMap<string, TensorData>;
  /** Replaces everything but what `keep` names. */
  restore(tensors: ReadonlyMap<string, TensorData>): void;
  clear(): void;
}

export function createStateStore(runtime: Runtime): StateStore {
  const tensors = new Map<string, Tensor>();
  /** What a checkpoint brought, until the step that uses it is compiled. */
  let waiting = new Map<string, TensorData>();
  return {
    get: (key) => tensors.get(key),
    demand({ key, value, init }) {
      const known = tensors.get(key);
      if (known !== undefined) return known;
      const brought = waiting.get(key);
      if (brought !== undefined) checkFits(key, value, brought);
      const tensor = toTensor(runtime.Tensor, brought ?? init());
      waiting.delete(key);
      tensors.set(key, tensor);
      return tensor;
    },
    set: (key, tensor) => {
      tensors.set(key, tensor);
    },
    snapshot: () =>
      new Map([
        ...waiting,
        ...[...tensors].map(([key, tensor]) => [key, fromTensor(tensor)] as const),
      ]),
    restore(given) {
      tensors.clear();
      waiting = new Map(given);
    },
    clear() {
      tensors.clear();
      waiting.clear();
    },
  };
}

function checkFits(key: string, value: Value, tensor: TensorData): void {
  if (tensor.type === value.type && sameShape(tensor.dims, value.shape)) return;
  throw new GradwareError(
    'INVALID_CHECKPOINT',
    `The checkpoint has ${tensor.type}[${tensor.dims}] for ${key}, and the session needs ${value.type}[${value.shape}]`,
    { remedy: 'Use the chain, the optimizer and the model that the checkpoint was saved with.' },
  );
}
