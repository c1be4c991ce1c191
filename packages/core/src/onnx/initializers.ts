import { GradwareError } from '../errors.js';
import type { TensorData } from './ir.js';
import { exportAgain } from './remedies.js';

/** The initializers of a graph while it is read. */
export interface Initializers {
  readonly all: ReadonlyMap<string, TensorData>;
  /** @param decode reads the tensor; it is told what messages call its place
   *  @throws GradwareError INVALID_MODEL where the name is empty or taken */
  add(name: string, decode: (place: string) => TensorData): void;
}

export function collectInitializers(where: string): Initializers {
  const all = new Map<string, TensorData>();
  return {
    all,
    add(name, decode) {
      const place = `${where}, initializer "${name}"`;
      if (name === '' || all.has(name)) {
        const problem = name === '' ? 'has no name' : 'is there twice';
        throw new GradwareError('INVALID_MODEL', `An initializer ${problem}`, {
          where: place,
          remedy: exportAgain,
        });
      }
      all.set(name, decode(place));
    },
  };
}
