import type { GpuReport, ProviderChoice } from '../shared/protocol.js';

export interface ProviderDecision {
  readonly provider: 'webgpu' | 'wasm';
  readonly why: string;
}

/** What runs the steps, and why. A GPU that is emulated on the processor is slower than the processor. */
export function decideProvider(choice: ProviderChoice, gpu: GpuReport): ProviderDecision {
  if (choice !== 'auto') return { provider: choice, why: 'as chosen' };
  if (!gpu.usable) return { provider: 'wasm', why: gpu.reason };
  if (gpu.software) return { provider: 'wasm', why: `the only GPU is software (${gpu.name})` };
  return { provider: 'webgpu', why: gpu.name };
}
