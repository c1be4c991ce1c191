/** Allocations that a damaged file may not lead to. */
export const maxAllocation = 2 ** 31;

/** What was allocated at once since the last call: typed arrays by their length, also those that are never filled. */
let largest = 0;

export function largestAllocation(): number {
  const seen = largest;
  largest = 0;
  return seen;
}

type Arrays = Record<string, new (...given: readonly unknown[]) => ArrayLike<unknown>>;

const watched = [
  ...['Int8Array', 'Uint8Array', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array'],
  ...['Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'ArrayBuffer', 'Array'],
] as const;

/** Notes how much memory typed arrays ask for, and refuses what is too much before it is allocated.
 *  To be called before anything else is imported. */
export function watchAllocations(): void {
  const all = globalThis as unknown as Arrays;
  for (const name of watched) {
    const original = all[name];
    if (original === undefined) continue;
    const width = (original as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT;
    const bytesEach = width ?? (name === 'Array' ? 8 : 1);
    const proxy = new Proxy(original, {
      construct(target, given, newTarget) {
        const [length] = given;
        if (given.length === 1 && typeof length === 'number') {
          const bytes = length * bytesEach;
          largest = Math.max(largest, bytes);
          if (bytes > maxAllocation)
            throw new Error(`${name} of ${length} elements is asked for (${bytes} bytes)`);
        }
        return Reflect.construct(target, given, newTarget) as object;
      },
    });
    // What asks an array for its constructor has to find the one that is global.
    (original.prototype as { constructor: unknown }).constructor = proxy;
    all[name] = proxy;
  }
}
