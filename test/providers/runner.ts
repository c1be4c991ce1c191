import { differences, type Pack, pack } from './pack.js';
import type { Tensors } from './piece.js';

/** Something that runs models on a provider, where no node may fall back to the CPU. */
export interface Runner {
  run(model: Uint8Array, feeds: Tensors): Promise<Tensors>;
  close(): Promise<void>;
}

/** What a provider computes otherwise than the CPU, or not at all. Where a whole pack is refused its graphs are tried
 *  one by one, to tell which. */
export async function problemsOf(runner: Runner, packed: Pack): Promise<readonly string[]> {
  try {
    return differences(packed, await runner.run(packed.model, packed.feeds));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const [only, ...others] = packed.pieces;
    if (only !== undefined && others.length === 0) return [`${only.name}: ${reason}`];
    const middle = Math.ceil(packed.pieces.length / 2);
    const halves = [packed.pieces.slice(0, middle), packed.pieces.slice(middle)].map(pack);
    const found: string[] = [];
    for (const half of halves) found.push(...(await problemsOf(runner, half)));
    return found.length > 0 ? found : [`only together: ${reason}`];
  }
}
