import { env } from '@gradware/core/web';
import loader from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import binary from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import type { Environment, GpuReport } from '../shared/protocol.js';

/** More threads than this only wait for each other on models of this size. */
const mostThreads = 4;

/** Tells ONNX Runtime where its files are and how many threads it may use. Before the first session. */
export function prepareRuntime(): Pick<Environment, 'threads' | 'isolated'> {
  const isolated = self.crossOriginIsolated;
  const threads = isolated ? Math.min(mostThreads, navigator.hardwareConcurrency || 1) : 1;
  env.wasm.wasmPaths = {
    mjs: new URL(loader, self.location.href).href,
    wasm: new URL(binary, self.location.href).href,
  };
  env.wasm.numThreads = threads;
  return { threads, isolated };
}

/** The parts of WebGPU that are asked for here. */
interface Gpu {
  requestAdapter(): Promise<{
    readonly info?: {
      readonly vendor?: string;
      readonly architecture?: string;
      readonly description?: string;
      readonly isFallbackAdapter?: boolean;
    };
    readonly isFallbackAdapter?: boolean;
  } | null>;
}

/** Whether WebGPU works here, on what, and why not. */
export async function reportGpu(): Promise<GpuReport> {
  const { gpu } = navigator as { readonly gpu?: Gpu };
  if (gpu === undefined) return { usable: false, reason: 'this browser has no WebGPU' };
  try {
    const adapter = await gpu.requestAdapter();
    if (adapter === null) return { usable: false, reason: 'WebGPU found no graphics adapter' };
    const {
      vendor = '',
      architecture = '',
      description = '',
      isFallbackAdapter,
    } = adapter.info ?? {};
    const software =
      isFallbackAdapter === true ||
      adapter.isFallbackAdapter === true ||
      /swiftshader|llvmpipe|warp/i.test(`${architecture} ${description}`);
    const name =
      [vendor, architecture].filter((part) => part !== '').join(' ') || 'unnamed adapter';
    return { usable: true, name, software };
  } catch (cause) {
    return { usable: false, reason: cause instanceof Error ? cause.message : String(cause) };
  }
}
