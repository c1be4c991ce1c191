import { GradwareError } from '../errors.js';
import { irVersion, opset } from '../graph/opset.js';
import type { Provider } from '../lowering/rule.js';
import { encodeModel } from '../onnx/encode-model.js';
import type { Graph } from '../onnx/ir.js';
import type { Runtime } from '../runtime/runtime.js';

const preference: Readonly<Record<Runtime['name'], readonly Provider[]>> = {
  'onnxruntime-node': ['cuda', 'webgpu', 'cpu'],
  'onnxruntime-web': ['webgpu', 'wasm'],
};

const remedies: Readonly<Record<Provider, string>> = {
  cpu: 'Reinstall onnxruntime-node for this platform.',
  wasm: 'Serve the .wasm files of onnxruntime-web beside the page, or set env.wasm.wasmPaths.',
  webgpu: 'Use a browser (or a driver) with WebGPU, or another provider.',
  cuda: 'CUDA needs Linux x64, an NVIDIA driver, CUDA 12, cuDNN 9 and the CUDA libraries of onnxruntime-node (see the README), or take another provider.',
};

/** The first of the wanted providers that really opens a session.
 *  @throws GradwareError RUNTIME with the reason of each that does not */
export async function chooseProvider(
  runtime: Runtime,
  wanted: readonly (Provider | 'auto')[],
): Promise<{ readonly provider: Provider; readonly refused: readonly string[] }> {
  const candidates = wanted.flatMap((name) =>
    name === 'auto' ? preference[runtime.name] : [name],
  );
  const refused: string[] = [];
  for (const provider of candidates) {
    if (!Object.hasOwn(remedies, provider))
      throw new GradwareError('INVALID_OPTION', `There is no execution provider "${provider}"`, {
        remedy: `There are auto, ${Object.keys(remedies).join(', ')}.`,
      });
    if (!preference[runtime.name].includes(provider)) {
      refused.push(`${provider}: ${runtime.name} has no such provider`);
      continue;
    }
    try {
      const session = await runtime.InferenceSession.create(encodeModel(identity()), {
        executionProviders: [provider],
        logSeverityLevel: 4,
      });
      await session.release();
      return { provider, refused };
    } catch (cause) {
      refused.push(
        `${provider}: ${(cause instanceof Error ? cause.message : String(cause)).split('\n')[0]}`,
      );
    }
  }
  const remedy = candidates.map((provider) => remedies[provider]).join(' ');
  throw new GradwareError('RUNTIME', `No execution provider works: ${refused.join('; ')}`, {
    remedy,
  });
}

function identity() {
  const float = { type: 'float32' as const, shape: [1] };
  const graph: Graph = {
    name: 'probe',
    nodes: [
      {
        name: 'probe',
        opType: 'Add',
        domain: '',
        inputs: ['x', 'x'],
        outputs: ['y'],
        attributes: {},
      },
    ],
    inputs: [{ name: 'x', ...float }],
    outputs: [{ name: 'y', ...float }],
    initializers: new Map(),
    valueInfo: new Map(),
  };
  return {
    graph,
    opsets: new Map([['', opset]]),
    irVersion,
    functions: [],
    metadata: new Map(),
    producer: 'gradware',
  };
}
