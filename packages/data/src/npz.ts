import { GradwareError } from '@gradware/core';
import { type Budget, createBudget } from './budget.js';
import type { NdArray } from './elements.js';
import { decodeNpy } from './npy.js';
import { readZip } from './zip.js';

/** The array files of an archive, not yet unpacked, by name. Members that are no arrays are left out.
 *  @throws GradwareError INVALID_DATA */
export function listNpz(
  bytes: Uint8Array,
  where: string,
): ReadonlyMap<string, (budget: Budget) => Uint8Array> {
  const arrays = new Map<string, (budget: Budget) => Uint8Array>();
  for (const entry of readZip(bytes, where)) {
    if (!entry.name.endsWith('.npy')) continue;
    const name = entry.name.slice(0, -'.npy'.length);
    if (arrays.has(name)) {
      throw new GradwareError('INVALID_DATA', `Two arrays are named "${name}"`, {
        where,
        remedy: 'Rename one of them.',
      });
    }
    arrays.set(name, (budget) => entry.read(budget));
  }
  return arrays;
}

/** Reads every array of a NumPy .npz archive, stored or compressed, whatever the shapes.
 *  @param options.maxBytes most bytes that it may unpack to, 2 GiB if not given
 *  @throws GradwareError INVALID_DATA, UNSUPPORTED, OUT_OF_MEMORY */
export function decodeNpz(
  bytes: Uint8Array,
  { where = '.npz bytes', maxBytes }: { readonly where?: string; readonly maxBytes?: number } = {},
): ReadonlyMap<string, NdArray> {
  const budget = createBudget(maxBytes);
  return new Map(
    [...listNpz(bytes, where)].map(([name, read]) => [
      name,
      decodeNpy(read(budget), `${where}, ${name}`),
    ]),
  );
}
