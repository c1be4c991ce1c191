import { Tensor } from 'onnxruntime-common';

/** Marks what structured cloning does not know. */
const mark = '@gradware';

type Marked =
  | {
      readonly [mark]: 'tensor';
      readonly type: Tensor['type'];
      readonly data: unknown;
      readonly dims: readonly number[];
    }
  | { readonly [mark]: 'known tensor'; readonly id: number }
  | { readonly [mark]: 'url'; readonly href: string }
  | { readonly [mark]: 'signal' };

/** A value that can be posted, and the buffers that move with it. */
export interface Packed {
  readonly value: unknown;
  readonly transfer: ArrayBuffer[];
  /** The signal found inside: it stays here, and its news is sent. */
  readonly signal: AbortSignal | undefined;
}

/** Makes a value ready to be posted: tensors, URLs and signals anywhere in lists, maps and plain objects become what can
 *  be cloned; numbers are copied once and move. Shared memory stays shared.
 *  @param knownAs the number under which the other side has a tensor already */
export function pack(given: unknown, knownAs?: (tensor: Tensor) => number | undefined): Packed {
  const transfer: ArrayBuffer[] = [];
  let signal: AbortSignal | undefined;

  function packNumbers(view: ArrayBufferView): unknown {
    const { buffer, byteOffset, byteLength } = view;
    if (!(buffer instanceof ArrayBuffer)) return view;
    const copy = buffer.slice(byteOffset, byteOffset + byteLength);
    transfer.push(copy);
    // Node's Buffer is no more than its bytes.
    if (view instanceof Uint8Array) return new Uint8Array(copy);
    return new (view.constructor as new (memory: ArrayBuffer) => unknown)(copy);
  }

  function packTensor(tensor: Tensor): Marked {
    const id = knownAs?.(tensor);
    if (id !== undefined) return { [mark]: 'known tensor', id };
    const { type, data, dims } = tensor;
    const own = ArrayBuffer.isView(data) ? packNumbers(data) : data;
    return { [mark]: 'tensor', type, data: own, dims };
  }

  function walk(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (ArrayBuffer.isView(value)) return packNumbers(value);
    if (value instanceof AbortSignal) {
      signal = value;
      return { [mark]: 'signal' } satisfies Marked;
    }
    if (value instanceof URL) return { [mark]: 'url', href: value.href } satisfies Marked;
    if (isTensor(value)) return packTensor(value);
    if (Array.isArray(value)) return value.map(walk);
    if (value instanceof Map) return new Map([...value].map(([key, own]) => [key, walk(own)]));
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, walk(own)]));
  }

  return { value: walk(given), transfer, signal };
}

/** Copies of Tensor's class differ from package to package: what one looks like counts. */
function isTensor(value: object): value is Tensor {
  return 'dims' in value && 'location' in value && 'type' in value;
}

/** The value again.
 *  @param known the tensor that has this number here */
export function unpack(
  packed: unknown,
  signal?: AbortSignal,
  known?: (id: number) => Tensor,
): unknown {
  function walk(value: unknown): unknown {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
    if (Array.isArray(value)) return value.map(walk);
    if (value instanceof Map) return new Map([...value].map(([key, own]) => [key, walk(own)]));
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    if (mark in value) return unmark(value as Marked);
    return Object.fromEntries(Object.entries(value).map(([key, own]) => [key, walk(own)]));
  }
  function unmark(marked: Marked): unknown {
    switch (marked[mark]) {
      case 'tensor':
        return new Tensor(marked.type, marked.data as Float32Array, marked.dims);
      case 'known tensor':
        return known?.(marked.id);
      case 'url':
        return new URL(marked.href);
      case 'signal':
        return signal;
    }
  }
  return walk(packed);
}
