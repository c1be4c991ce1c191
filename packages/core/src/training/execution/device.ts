import type { Device, Runtime, SessionOptions } from '../../runtime/runtime.js';
import { createTransfer, type Transfer } from '../../runtime/transfer.js';
import type { Execution } from '../api.js';
import { chooseProvider, type Wanted } from './providers.js';

/** What steps run on, and how sessions are opened there. */
export interface OpenDevice {
  readonly execution: Execution;
  readonly limits: Device;
  readonly sessionOptions: SessionOptions;
  /** The way to the device's own memory, where state stays from step to step; none where that is the host's. */
  readonly transfer: Transfer | undefined;
}

/** Threads that wait for work spin for this long before they sleep. On an idle machine nothing is lost against ONNX
 *  Runtime's own, longer time; on a busy one steps take two thirds of the time, as the others get on. */
const briefSpinning = { intra_op: { spin_duration_us: '50' } };

/** Quantisation is imitated while training, in floats: its integer kernels would give other numbers, and what puts them
 *  there stumbles over weights that are inputs. */
const noQuantizedKernels = { disable_quant_qdq: '1' };

/** Opens the first of the wanted providers that works, and computes in this type.
 *  @throws GradwareError RUNTIME where none does */
export async function openDevice(
  runtime: Runtime,
  wanted: readonly Wanted[],
  arithmetic: 'float32' | 'float16',
  options: SessionOptions | undefined,
): Promise<OpenDevice> {
  const { execution, limits, chosen } = await chooseProvider(runtime, wanted, arithmetic);
  const sessionOptions: SessionOptions = {
    // What goes wrong is thrown; ONNX Runtime's own lines would only say it twice.
    logSeverityLevel: 4,
    extra: {
      session: {
        ...noQuantizedKernels,
        ...(runtime.name === 'onnxruntime-node' ? briefSpinning : {}),
      },
    },
    ...options,
    executionProviders: chosen,
  };
  return {
    execution,
    limits,
    sessionOptions,
    transfer: execution.provider === 'webgpu' ? createTransfer(runtime, sessionOptions) : undefined,
  };
}
