import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { identityNode } from '../graph/identity.js';
import { modelOf } from '../graph/model.js';
import { encodeModel } from '../onnx/encode-model.js';
import type { DataType } from '../onnx/ir.js';
import type { Runtime, SessionOptions } from './runtime.js';

/** Moves tensors between the host and a GPU. */
export interface Transfer {
  /** Whether such a tensor can stay on the GPU from run to run. */
  holds(type: string, dims: readonly number[]): boolean;
  /** A copy on the GPU. Whoever asks for it disposes of it: no garbage collector sees that memory. */
  upload(tensor: Tensor): Promise<Tensor>;
  /** A copy on the host. `getData()` of such a tensor would end the process in Node. */
  download(tensor: Tensor): Promise<Tensor>;
  release(): Promise<void>;
}

/** Types that the kernels of the WebGPU provider copy. */
const types: ReadonlySet<string> = new Set(['float32', 'float16', 'int32', 'uint32']);

/** Copies go through sessions of one Identity, of any shape: one for each type and direction, opened at first use. */
export function createTransfer(runtime: Runtime, options: SessionOptions): Transfer {
  const sessions = new Map<string, InferenceSession>();

  async function sessionFor(type: string, location: 'cpu' | 'gpu-buffer') {
    const key = `${type} ${location}`;
    const session =
      sessions.get(key) ??
      (await runtime.InferenceSession.create(identityModel(type as DataType), {
        ...options,
        ...(location === 'gpu-buffer' && { preferredOutputLocation: location }),
      }));
    sessions.set(key, session);
    return session;
  }

  async function copy(x: Tensor, location: 'cpu' | 'gpu-buffer'): Promise<Tensor> {
    const session = await sessionFor(x.type, location);
    const { y } = (await session.run({ x })) as { readonly y: Tensor };
    return y;
  }

  return {
    holds: (type, dims) => types.has(type) && !dims.includes(0),
    upload: (tensor) => copy(tensor, 'gpu-buffer'),
    download: (tensor) => copy(tensor, 'cpu'),
    async release() {
      for (const session of sessions.values()) await session.release();
      sessions.clear();
    },
  };
}

/** y = x, for one type and all shapes. */
function identityModel(type: DataType): Uint8Array {
  return encodeModel(
    modelOf({
      name: 'copy',
      nodes: [identityNode('x', 'y')],
      inputs: [{ name: 'x', type }],
      outputs: [{ name: 'y', type }],
      initializers: new Map(),
      valueInfo: new Map(),
    }),
  );
}
