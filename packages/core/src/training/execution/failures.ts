import { type ErrorCode, GradwareError, messageOf } from '../../errors.js';

interface Kind {
  readonly code: ErrorCode;
  readonly means: RegExp;
  readonly remedy: string;
}

/** What the words of ONNX Runtime, Dawn and the drivers mean. */
const kinds: readonly Kind[] = [
  {
    code: 'DEVICE_LOST',
    means:
      /device (?:was |is |has been )?(?:lost|destroyed)|lost device|destroyed device|DeviceLost|device_lost|instance reference no longer exists|CUDA_ERROR_(?:ILLEGAL|LAUNCH)|CUDA failure (?:700|719)/i,
    remedy: 'Save what the session holds, and go on in a new one or on another provider.',
  },
  {
    code: 'OUT_OF_MEMORY',
    // On wasm a size of 4 GiB and more does not fit into its integers.
    means:
      /out of memory|out_of_memory|OutOfMemory|OUT_OF_DEVICE_MEMORY|bad_alloc|failed to allocate|BFCArena|cannot allocate|array buffer allocation failed|invalid array length|SafeIntOnOverflow/i,
    remedy:
      'Take smaller batches, release sessions that are not in use, freeze parameters (frozenParams), or use another provider.',
  },
  {
    code: 'UNSUPPORTED',
    means:
      /exceeds? (?:the )?max|larger than (?:the )?max|too many storage buffers|maxStorageBufferBindingSize|maxBufferSize|maxComputeWorkgroups/i,
    remedy:
      'The model or the batch is too large for the limits of this device: take smaller batches, or another provider.',
  },
];

/** What ONNX Runtime threw, with a code that programs can act on.
 *  @param happened the first half of the message: "ONNX Runtime failed in a step" */
export function runtimeFailure(happened: string, cause: unknown): GradwareError {
  const reason = messageOf(cause);
  const kind = kinds.find(({ means }) => means.test(reason));
  return new GradwareError(kind?.code ?? 'RUNTIME', `${happened}: ${reason}`, {
    ...(kind && { remedy: kind.remedy }),
    cause,
  });
}

/** Whether the device that states lived on is gone. */
export function isLoss(error: unknown): boolean {
  return error instanceof GradwareError && error.code === 'DEVICE_LOST';
}
