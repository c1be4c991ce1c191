import type { Tensor } from 'onnxruntime-common';
import { GradwareError, messageOf } from '../../errors.js';
import { tensorOf } from '../../graph/constants.js';
import { modelOf } from '../../graph/model.js';
import type { Provider } from '../../lowering/rule.js';
import { elementTypes } from '../../onnx/element-types.js';
import { encodeModel } from '../../onnx/encode-model.js';
import type { DataType, Graph, Node } from '../../onnx/ir.js';
import { didYouMean } from '../../options/nearest.js';
import type { Device, Runtime, SessionOptions } from '../../runtime/runtime.js';
import { toTensor } from '../../runtime/tensors.js';
import type { Execution, TrainingOptions } from '../api.js';

const preference: Readonly<Record<Runtime['name'], readonly Provider[]>> = {
  'onnxruntime-node': ['cuda', 'webgpu', 'cpu'],
  'onnxruntime-web': ['webgpu', 'wasm'],
  'onnxruntime-web/wasm': ['wasm'],
};

const remedies: Readonly<Record<Provider, string>> = {
  cpu: 'Reinstall onnxruntime-node for this platform.',
  wasm: 'Serve the .wasm files of onnxruntime-web beside the page, or set env.wasm.wasmPaths.',
  webgpu: 'Use a browser (or a driver) with WebGPU, or another provider.',
  cuda: 'CUDA needs Linux x64, an NVIDIA driver, CUDA 12 and cuDNN 9 where the loader finds them, and the CUDA libraries of onnxruntime-node (`node node_modules/onnxruntime-node/script/install.js --onnxruntime-node-install=cuda12` downloads them); or take another provider.',
};

/** What ONNX Runtime has besides, here and there: a list that was written for it goes on to the next. */
const others = 'coreml dml webnn webgl qnn xnnpack nnapi openvino tensorrt rocm'.split(' ');

/** As ONNX Runtime takes it: a name, or an object with options of that provider. */
export type Wanted = NonNullable<TrainingOptions['executionProviders']>[number];

interface Candidate {
  readonly name: string;
  readonly given: Wanted;
  /** Whether it stands for `auto`. */
  readonly isAuto?: boolean;
}

/** The first of the wanted providers that really computes something, with what ONNX Runtime is given for it.
 *  @throws GradwareError INVALID_OPTION for a name that there is not, RUNTIME with the reason of each that does not work */
export async function chooseProvider(
  runtime: Runtime,
  wanted: readonly Wanted[],
  arithmetic: 'float32' | 'float16' = 'float32',
): Promise<{
  readonly execution: Execution;
  readonly limits: Device;
  readonly chosen: SessionOptions['executionProviders'];
}> {
  const here = preference[runtime.name];
  const candidates = wanted.flatMap((given): readonly Candidate[] => {
    const name = nameOf(given);
    if (name === 'auto') return here.map((own) => ({ name: own, given: own, isAuto: true }));
    // Another name of it in ONNX Runtime for browsers.
    if (name === 'cpu' && here.includes('wasm')) return [{ name: 'wasm', given: 'wasm' }];
    return [{ name, given }];
  });
  const refused: string[] = [];
  for (const { name: provider, given, isAuto } of candidates) {
    if (!isProvider(provider)) {
      refused.push(`${provider}: Gradware does not train there`);
      continue;
    }
    if (!here.includes(provider)) {
      refused.push(`${provider}: ${runtime.name} has no such provider`);
      continue;
    }
    const missing = runtime.missing?.(provider);
    if (missing !== undefined) {
      refused.push(`${provider}: ${missing}`);
      continue;
    }
    const chosen = [given] as SessionOptions['executionProviders'];
    try {
      await probe(runtime, chosen, arithmetic);
    } catch (cause) {
      refused.push(`${provider}: ${reasonOf(cause)}`);
      continue;
    }
    const limits = await runtime.device(provider);
    // What is wanted by its name is taken as it is.
    if (isAuto && limits.isEmulated) {
      refused.push(`${provider}: the processor only imitates a GPU here (${limits.adapter})`);
      continue;
    }
    return { execution: describe(provider, limits, refused), limits, chosen };
  }
  const remedy = candidates.flatMap(({ name }) =>
    isProvider(name) && here.includes(name) ? remedies[name] : [],
  );
  throw new GradwareError('RUNTIME', `No execution provider works: ${refused.join('; ')}`, {
    remedy: remedy.join(' ') || `${runtime.name} has auto, ${here.join(', ')}.`,
  });
}

/** What ONNX Runtime says, without the place in its sources and the condition there. */
function reasonOf(cause: unknown): string | undefined {
  return messageOf(cause)
    .split('\n')[0]
    ?.replace(/^\S+\.cc:\d+ .* was false\. /, '');
}

/** @throws GradwareError INVALID_OPTION for what is none, wherever in the list it stands */
function nameOf(given: unknown): string {
  const name = typeof given === 'string' ? given : (given as { name?: unknown } | null)?.name;
  const known = ['auto', ...Object.keys(remedies)];
  if ([...known, ...others].some((one) => one === name)) return name as string;
  throw new GradwareError('INVALID_OPTION', `There is no execution provider "${name}"`, {
    remedy: didYouMean(String(name), known),
  });
}

function isProvider(name: string): name is Provider {
  return Object.hasOwn(remedies, name);
}

/** Some providers open a session and fail when it runs. */
async function probe(
  runtime: Runtime,
  executionProviders: SessionOptions['executionProviders'],
  type: 'float32' | 'float16',
): Promise<void> {
  const session = await runtime.InferenceSession.create(encodeModel(doubling(type)), {
    executionProviders,
    logSeverityLevel: 4,
  });
  try {
    const x = toTensor(runtime.Tensor, tensorOf('float32', [21], [1]));
    const { y } = (await session.run({ x })) as { readonly y?: Tensor };
    if (y?.data[0] !== 42) throw new Error(`21 + 21 is ${y?.data[0]} there`);
  } finally {
    await session.release();
  }
}

function describe(provider: Provider, device: Device, refused: readonly string[]): Execution {
  const { threads, adapter, note } = device;
  const count = threads === undefined ? '' : `, ${threads} thread${threads === 1 ? '' : 's'}`;
  const on = adapter === undefined ? '' : ` on ${adapter}`;
  const why = note === undefined ? '' : `: ${note}`;
  const instead = refused.map((reason) => `; not ${reason}`).join('');
  return {
    provider,
    threads,
    adapter,
    refused,
    description: `${provider}${on}${count}${why}${instead}`,
  };
}

/** y = x + x, computed in this type. */
function doubling(type: 'float32' | 'float16') {
  const float = { type: 'float32' as const, shape: [1] };
  const node = (
    opType: string,
    input: string,
    output: string,
    attributes: Node['attributes'] = {},
  ) => ({
    name: output,
    opType,
    domain: '',
    inputs: opType === 'Add' ? [input, input] : [input],
    outputs: [output],
    attributes,
  });
  const to = (element: DataType) => ({
    to: { type: 'int' as const, value: elementTypes[element].code },
  });
  const graph: Graph = {
    name: 'probe',
    nodes: [
      node('Cast', 'x', 'a', to(type)),
      node('Add', 'a', 'b'),
      node('Cast', 'b', 'y', to('float32')),
    ],
    inputs: [{ name: 'x', ...float }],
    outputs: [{ name: 'y', ...float }],
    initializers: new Map(),
    valueInfo: new Map(),
  };
  return modelOf(graph);
}
