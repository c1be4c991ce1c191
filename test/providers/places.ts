import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Provider } from '../../packages/core/src/lowering/rule.js';
import { noChromium } from '../browser/support/chromium.js';
import { inChromium } from './in-chromium.js';
import { inProcess } from './in-process.js';
import { probePack } from './probe.js';
import type { Runner } from './runner.js';

type Home = 'Node' | 'Chromium';

/** Where the tables run: a provider, in Node or in a browser. */
export interface Place {
  readonly home: Home;
  readonly provider: Provider;
  open(): Runner;
  /** Why nothing can run there; undefined where it can. */
  readonly skip?: string | undefined;
}

type Candidate = Omit<Place, 'skip'> & { readonly missing?: string | undefined };

/** A GPU that is none: where Debian's Chromium brings it along. */
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** A real GPU's driver, or the one that is named, goes before SwiftShader. */
const vulkan: NodeJS.ProcessEnv = {
  XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? tmpdir(),
  ...(process.env.VK_DRIVER_FILES === undefined && existsSync(swiftShader)
    ? { VK_DRIVER_FILES: swiftShader }
    : {}),
};

async function tryOut(open: () => Runner): Promise<string | undefined> {
  const runner = open();
  try {
    const { model, feeds } = probePack();
    await runner.run(model, feeds);
    return undefined;
  } catch (error) {
    return String(error instanceof Error ? error.message : error).split('\n')[0];
  } finally {
    await runner.close();
  }
}

function place(home: Home, provider: Provider, open: () => Runner, missing?: string): Candidate {
  return { home, provider, open, missing };
}

const all: readonly Candidate[] = [
  place('Node', 'cpu', () => inProcess('cpu')),
  place('Node', 'wasm', () => inProcess('wasm')),
  place('Node', 'webgpu', () => inProcess('webgpu', vulkan)),
  place('Node', 'cuda', () => inProcess('cuda')),
  place('Chromium', 'wasm', () => inChromium('wasm'), noChromium),
  place('Chromium', 'webgpu', () => inChromium('webgpu'), noChromium),
];

const wanted = process.env.GRADWARE_PROVIDERS?.split(',').map((name) => name.trim());

const known = ['cpu', 'wasm', 'webgpu', 'cuda'];
const unknown = wanted?.filter((name) => !known.includes(name)) ?? [];
if (unknown.length > 0)
  throw new Error(`GRADWARE_PROVIDERS names ${unknown.join()}: there are ${known.join()}`);

/** Whether a provider was asked for by name. */
export const isAsked = (provider: Provider) => wanted?.includes(provider) ?? false;

/** Those of one kind that GRADWARE_PROVIDERS names. One that is named has to work; without it, what works is tested. */
export async function places(home: Home): Promise<readonly Place[]> {
  const asked = all.filter(
    (each) => each.home === home && (wanted === undefined || isAsked(each.provider)),
  );
  const tried: Place[] = [];
  for (const { missing, ...each } of asked)
    tried.push({ ...each, skip: missing ?? (await tryOut(each.open)) });
  return tried;
}
