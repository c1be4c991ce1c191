/** What kind of refusal an error is; stable, so that programs may branch on it. */
export type ErrorCode =
  | 'INVALID_MODEL'
  | 'INVALID_CHECKPOINT'
  | 'INVALID_DATA'
  | 'INVALID_OPTION'
  | 'UNKNOWN_PLUGIN'
  | 'UNKNOWN_PARAMETER'
  | 'NO_GRADIENT'
  | 'NO_LOWERING'
  | 'UNREACHABLE_PARAMETER'
  | 'PLUGIN_CONTRACT'
  | 'NONFINITE_LOSS'
  | 'UNSUPPORTED'
  | 'OUT_OF_MEMORY'
  | 'DEVICE_LOST'
  | 'FILE'
  | 'RUNTIME'
  | 'RELEASED'
  | 'ABORTED'
  | 'STOPPED';

export interface ErrorDetails {
  /** Where it went wrong: file, node, tensor, byte, plugin. */
  readonly where?: string;
  /** What the reader can do about it. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** The one error that Gradware throws on purpose: what was wrong, where, and what to do. */
export class GradwareError extends Error {
  override readonly name = 'GradwareError';
  readonly code: ErrorCode;
  /** What was wrong, without the place and the remedy that `message` adds. */
  readonly problem: string;
  readonly where: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, problem: string, { where, remedy, cause }: ErrorDetails = {}) {
    const place = where === undefined ? '' : ` (${where})`;
    const advice = remedy === undefined ? '' : `\n  → ${remedy}`;
    super(`${problem}${place}${advice}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.problem = problem;
    this.where = where;
    this.remedy = remedy;
  }
}

/** What a thrown value says: JavaScript throws anything. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

/** @throws GradwareError ABORTED where somebody asked to stop */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new GradwareError('ABORTED', 'Stopped on request', { cause: signal.reason });
}
