import type { InferenceSession } from 'onnxruntime-node';
import { describe, test } from 'vitest';
import { expectOutputs, type LoweringCase, wantedOutputs } from '../support/compare.js';
import { layLowered, runLaid } from '../support/lowering.js';
import { noWebgpu } from '../support/webgpu.js';
import { loweringFamilies, named } from './lowering/index.js';

/** No node may fall back to the CPU. */
const strict: InferenceSession.SessionOptions = {
  executionProviders: ['webgpu'],
  extra: { session: { disable_cpu_ep_fallback: '1' } },
  logSeverityLevel: 4,
};

const missing = await noWebgpu();

/** GRADWARE_WEBGPU=all asks for every case, which takes minutes on a software GPU; else one of each op. */
const everything = process.env.GRADWARE_WEBGPU === 'all';

function chosen(cases: readonly LoweringCase[]): readonly LoweringCase[] {
  if (everything) return cases;
  return cases.filter((given, i) =>
    cases.slice(i + 1).every(({ opType }) => opType !== given.opType),
  );
}

/** The case without the outputs that are constants: ORT copies those on the CPU. */
function withoutConstants(given: LoweringCase): LoweringCase {
  const { builder } = layLowered({ ...given, provider: 'webgpu' });
  const outputs = given.outputs.map((output, i) =>
    builder.constant(`y${i}`) === undefined ? output : undefined,
  );
  return { ...given, provider: 'webgpu', outputs };
}

describe.skipIf(missing !== undefined)('the lowering for webgpu runs there wholly', () => {
  for (const [family, cases] of Object.entries(loweringFamilies))
    test.each(named(chosen(cases)))(`${family}: %s`, async (_, given) => {
      const reduced = withoutConstants(given);
      if (reduced.outputs.every((output) => output === undefined)) return;
      const wanted = await wantedOutputs(given);
      expectOutputs(await runLaid(layLowered(reduced), reduced, strict), wanted, {
        ...reduced,
        tolerance: 2e-5 + (given.tolerance ?? 0),
      });
    });
});
