import { GradwareError } from '../errors.js';
import { exportAgain } from './remedies.js';

/** The domain of ONNX's own ops is ''. */
export const canonicalDomain = (domain: string | null | undefined): string =>
  domain === 'ai.onnx' ? '' : (domain ?? '');

/** An operator set that a model imports. */
export interface OpsetImport {
  readonly domain: string | null | undefined;
  readonly version: number;
}

/** The versions of operator sets by domain.
 *  @throws GradwareError INVALID_MODEL for a version that cannot be */
export function opsetsOf(
  imports: readonly OpsetImport[],
  where: string,
): ReadonlyMap<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const name = canonicalDomain(domain);
    if (version < 1) {
      throw new GradwareError(
        'INVALID_MODEL',
        `The model imports version ${version} of the operator set "${name || 'ai.onnx'}"`,
        { where, remedy: exportAgain },
      );
    }
    // Genuine files import "" and "ai.onnx" at once: the last one counts, as in ONNX Runtime.
    opsets.set(name, version);
  }
  // Before IR version 3 there was one operator set, and nothing to import.
  return opsets.size === 0 ? new Map([['', 1]]) : opsets;
}
