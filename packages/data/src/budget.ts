import { GradwareError } from '@gradware/core';

/** How many bytes reading may still produce. */
export interface Budget {
  /** @throws GradwareError OUT_OF_MEMORY when more than what is left is asked for */
  readonly spend: (bytes: number, where: string) => void;
}

/** 2 GiB. */
export const DEFAULT_MAX_BYTES = 2 ** 31;

/** A few kilobytes can unpack to terabytes: whatever unpacks asks here first. */
export function createBudget(maxBytes: number = DEFAULT_MAX_BYTES): Budget {
  if (!(maxBytes > 0)) {
    throw new GradwareError('INVALID_OPTION', `maxBytes is ${maxBytes}`, {
      remedy: 'Give a positive number of bytes.',
    });
  }
  let left = maxBytes;
  return {
    spend(bytes, where) {
      if (bytes > left) {
        throw new GradwareError(
          'OUT_OF_MEMORY',
          `The data takes more than the ${maxBytes} bytes allowed`,
          {
            where,
            remedy: 'If you trust the file, raise maxBytes; otherwise do not open it.',
          },
        );
      }
      left -= bytes;
    },
  };
}
