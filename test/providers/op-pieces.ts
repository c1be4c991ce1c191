import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { families } from '../parity/families.js';
import { type GradientCase, nameOf, pieceOf } from '../support/check-gradients.js';
import type { Piece } from './piece.js';

/** Ops over numbers of 8 or 16 bits, or doubles. */
const otherTypes: ReadonlySet<string> = new Set([
  'CastLike a double',
  'DequantizeLinear',
  'MatMulNBits',
  'QuantizeLinear',
]);

/** What no form of a graph can give a provider: shaders have no doubles, nothing casts bytes, Scan, Inverse and MaxUnpool
 *  have no kernel. */
const beyond: Partial<Record<Provider, (checked: GradientCase) => boolean>> = {
  webgpu: ({ op, attributes, longestUnrolled }) =>
    (op === 'Cast' && attributes?.to === 11) ||
    op === 'Inverse' ||
    op === 'MaxUnpool' ||
    otherTypes.has(op) ||
    longestUnrolled === 0,
};

/** The cases of a family that a provider can compute. */
function casesOn(provider: Provider, family: string): readonly GradientCase[] {
  return (families[family] ?? []).filter((checked) => !beyond[provider]?.(checked));
}

/** The families of the table of operators that a provider can compute something of. */
export function familiesOn(provider: Provider): readonly string[] {
  return Object.keys(families).filter((family) => casesOn(provider, family).length > 0);
}

/** Every case of the table of operators, forward and backward; what it should give is what the form for the CPU gives
 *  there. */
export function opPieces(provider: Provider, family: string): Promise<readonly Piece[]> {
  return Promise.all(
    casesOn(provider, family).map(async (checked) => ({
      name: nameOf(checked),
      ...(await pieceOf(checked, provider)),
      tolerance: 1e-4,
    })),
  );
}
