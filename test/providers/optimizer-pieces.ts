import { adam, adamw, type Optimizer, sgd } from '@gradware/core';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import type { Piece } from './piece.js';
import { benchPieces } from './plugin-pieces.js';

const optimizers: Readonly<Record<string, Optimizer>> = {
  adamw: adamw(),
  'adamw as Hugging Face has it': adamw({ form: 'huggingface', epsilon: 1e-6 }),
  'adamw without bias correction': adamw({ form: 'huggingface', correctBias: false }),
  adam: adam(),
  sgd: sgd(),
  'sgd with everything': sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  'sgd with dampening': sgd({ momentum: 0.9, dampening: 0.5 }),
};

/** Every optimizer of core. */
export async function optimizerPieces(provider: Provider): Promise<readonly Piece[]> {
  const all: Piece[] = [];
  for (const [name, optimizer] of Object.entries(optimizers))
    all.push(...(await benchPieces(provider, name, [], { optimizer, tolerance: 1e-5 })));
  return all;
}
