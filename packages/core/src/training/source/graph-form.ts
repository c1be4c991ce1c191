import type { Provider } from '../../lowering/rule.js';

/** How graphs are written for those who run them. */
export interface GraphForm {
  /** The most steps of a recurrence that are written one by one; longer ones become a Scan. */
  readonly longestUnrolled: number;
}

/** The fewest nodes: for who asks for types and gradients, and runs nothing. */
export const shortest: GraphForm = { longestUnrolled: 0 };

/** Where Scan has no kernel: it would be left to the CPU, with all that it holds. */
const unrolls: ReadonlySet<Provider> = new Set<Provider>(['webgpu']);

export function graphForm(provider: Provider): GraphForm {
  return { longestUnrolled: unrolls.has(provider) ? Number.POSITIVE_INFINITY : 8 };
}
