import { InferenceSession } from 'onnxruntime-node';
import { describe, test } from 'vitest';
import { expectOutputs, type LoweringCase, wantedOutputs } from '../support/compare.js';
import { layLowered, runLaid } from '../support/lowering.js';
import { encodeNode } from '../support/one-node.js';
import { loweringFamilies, named } from './lowering/index.js';

/** No node may fall back to the CPU. */
const strict: InferenceSession.SessionOptions = {
  executionProviders: ['webgpu'],
  extra: { session: { disable_cpu_ep_fallback: '1' } },
  logSeverityLevel: 4,
};

async function hasWebgpu(): Promise<boolean> {
  const x = { type: 'float32', dims: [1], data: Float32Array.of(1) } as const;
  const node = { opType: 'Neg', inputs: [x], outputs: [{ type: 'float32' as const }] };
  return InferenceSession.create(encodeNode(node), strict).then(
    (session) => session.release().then(() => true),
    () => false,
  );
}

const available = await hasWebgpu();

/** Of each op the first case and the last one, unless all are asked for. */
const everything = process.env.GRADWARE_WEBGPU_ALL === '1';

function chosen(cases: readonly LoweringCase[]): readonly LoweringCase[] {
  if (everything) return cases;
  const ofOp = (opType: string) => cases.filter((given) => given.opType === opType);
  return cases.filter((given) => {
    const own = ofOp(given.opType);
    return given === own[0] || given === own.at(-1);
  });
}

/** The case without the outputs that are constants: ORT copies those on the CPU. */
function withoutConstants(given: LoweringCase): LoweringCase {
  const { builder } = layLowered({ ...given, provider: 'webgpu' });
  const outputs = given.outputs.map((output, i) =>
    builder.constant(`y${i}`) === undefined ? output : undefined,
  );
  return { ...given, provider: 'webgpu', outputs };
}

// Needs an adapter: on Linux without a GPU, VK_DRIVER_FILES may name the software one of Chromium.
describe.skipIf(!available)('the lowering for webgpu runs there wholly', () => {
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
