import type { Env } from 'onnxruntime-common';
import type { Device } from './runtime.js';

/** What is used of a GPUDevice. */
interface GpuDevice {
  readonly adapterInfo?: {
    readonly vendor?: string;
    readonly architecture?: string;
    readonly description?: string;
    readonly isFallbackAdapter?: boolean;
  };
  readonly features?: ReadonlySet<string>;
  readonly limits?: {
    readonly maxStorageBufferBindingSize?: number;
    readonly maxBufferSize?: number;
  };
}

/** GPUs that the processor imitates, as they call themselves. */
const emulation = /swiftshader|llvmpipe|warp|basic render/i;

/** What a page runs on; known once a session has been opened there.
 *  @param fewThreads why there is only one thread, where more could be had */
export async function webDevice(env: Env, provider: string, fewThreads?: string): Promise<Device> {
  if (provider === 'webgpu') {
    const { adapterInfo, limits } = ((await env.webgpu.device) ?? {}) as GpuDevice;
    const { vendor = '', architecture = '', description = '' } = adapterInfo ?? {};
    const adapter = [vendor, architecture, description].filter((text) => text !== '').join(' ');
    return {
      adapter: adapter === '' ? undefined : adapter,
      isEmulated: adapterInfo?.isFallbackAdapter === true || emulation.test(adapter),
      largestTensor: limits && smallest(limits.maxStorageBufferBindingSize, limits.maxBufferSize),
    };
  }
  const { numThreads: threads = 1 } = env.wasm;
  const { crossOriginIsolated = false } = globalThis as { readonly crossOriginIsolated?: boolean };
  return threads > 1 || crossOriginIsolated
    ? { threads, note: fewThreads }
    : {
        threads,
        note: 'the page is not cross-origin isolated (it lacks the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp)',
      };
}

function smallest(...limits: readonly (number | undefined)[]): number | undefined {
  const known = limits.filter((limit) => limit !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
