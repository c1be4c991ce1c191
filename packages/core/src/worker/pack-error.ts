import { type ErrorCode, GradwareError, messageOf } from '../errors.js';

/** An error as it crosses from thread to thread; structured cloning would leave nothing but its message. */
export interface PackedError {
  readonly message: string;
  readonly name: string;
  readonly stack: string | undefined;
  readonly cause: PackedError | undefined;
  readonly gradware:
    | {
        readonly code: ErrorCode;
        readonly problem: string;
        readonly where: string | undefined;
        readonly remedy: string | undefined;
      }
    | undefined;
}

export function packError(error: unknown): PackedError {
  const message = messageOf(error);
  if (!(error instanceof Error))
    return { message, name: 'Error', stack: undefined, cause: undefined, gradware: undefined };
  const { name, stack } = error;
  const cause = error.cause === undefined ? undefined : packError(error.cause);
  if (!(error instanceof GradwareError))
    return { message, name, stack, cause, gradware: undefined };
  const { code, problem, where, remedy } = error;
  return { message, name, stack, cause, gradware: { code, problem, where, remedy } };
}

/** The same error again, with the stack that it had in its thread. */
export function unpackError({ message, name, stack, cause: packed, gradware }: PackedError): Error {
  const cause = packed === undefined ? {} : { cause: unpackError(packed) };
  if (gradware === undefined) {
    const error = new Error(message, cause);
    if (name !== error.name) error.name = name;
    if (stack !== undefined) error.stack = stack;
    return error;
  }
  const { code, problem, where, remedy } = gradware;
  const error = new GradwareError(code, problem, {
    ...(where !== undefined && { where }),
    ...(remedy !== undefined && { remedy }),
    ...cause,
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}
