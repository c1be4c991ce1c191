import { afterAll, describe, expect, test } from 'vitest';
import { modelPieces, wholeModels } from './model-pieces.js';
import { nanPieces } from './nan-pieces.js';
import { familiesOn, opPieces } from './op-pieces.js';
import { optimizerPieces } from './optimizer-pieces.js';
import { packsOf } from './pack.js';
import type { Piece } from './piece.js';
import { isAsked, type Place } from './places.js';
import { pluginPieces } from './plugin-pieces.js';
import { problemsOf } from './runner.js';

/** Graphs are the same wherever a provider runs: in Node and in a browser. */
const made = new Map<string, Promise<readonly Piece[]>>();

function once(key: string, make: () => Promise<readonly Piece[]>) {
  const known = made.get(key) ?? make();
  made.set(key, known);
  return known;
}

/** All tables on one provider, with the numbers of the CPU, where no node may fall back to the CPU. */
export function testTables(place: Place): void {
  const { home, provider, skip } = place;
  const name = `${provider} in ${home}`;
  if (skip !== undefined && !isAsked(provider)) {
    describe(name, () => test.skip(`does not work here: ${skip}`));
    return;
  }
  describe(name, () => {
    test('works', () => expect(skip).toBeUndefined());
    if (skip !== undefined) return;
    const runner = place.open();
    afterAll(() => runner.close());

    async function compare(pieces: readonly Piece[]) {
      expect(pieces.length).toBeGreaterThan(0);
      const problems: string[] = [];
      for (const pack of packsOf(pieces)) problems.push(...(await problemsOf(runner, pack)));
      expect(problems).toEqual([]);
    }

    // A shader that waits for its turn on a busy machine is no fault.
    const slow = 900_000;
    const table = (title: string, make: () => Promise<readonly Piece[]>) =>
      test(title, async () => compare(await once(`${provider} ${title}`, make)), slow);
    for (const family of familiesOn(provider))
      table(`computes ${family}`, () => opPieces(provider, family));
    table('computes every plugin', () => pluginPieces(provider));
    table('computes every optimizer', () => optimizerPieces(provider));
    for (const model of wholeModels().keys())
      table(`trains ${model}`, () => modelPieces(provider, model));
    table('keeps NaN', () => nanPieces(provider));
  });
}
