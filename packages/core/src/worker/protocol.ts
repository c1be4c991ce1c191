import type { TrainingSession } from '../training/api.js';
import type { PackedError } from './pack-error.js';

/** What every message carries, so that others may use the same channel. */
export const protocol = 'gradware/1';

/** Methods of a session that are called across; all of them return promises. */
export const remoteMethods = [
  'step',
  'steps',
  'checkData',
  'runTrainStep',
  'runOptimizerStep',
  'runEvalStep',
  'lazyResetGrad',
  'gradients',
  'getParametersSize',
  'getContiguousParameters',
  'loadParametersBuffer',
  'getParameter',
  'setParameter',
  'exportModel',
  'exportWeights',
  'importWeights',
  'saveCheckpoint',
  'checkpoint',
  'loadCheckpoint',
  'release',
] as const satisfies readonly (keyof TrainingSession)[];

export type RemoteMethod = (typeof remoteMethods)[number];

/** What a session is from its beginning to its end. */
export const fixedProperties = [
  'trainingInputNames',
  'trainingInputs',
  'trainingOutputNames',
  'evalInputNames',
  'evalOutputNames',
  'scoreNames',
  'provider',
  'execution',
  'trainableNames',
  'frozenNames',
] as const satisfies readonly (keyof TrainingSession)[];

export type Fixed = Pick<TrainingSession, (typeof fixedProperties)[number]>;

/** What a session tells after every call. */
export interface Standing
  extends Pick<TrainingSession, 'stepCount' | 'metadata' | 'properties' | 'warnings'> {
  /** Schedules as what they are at this step. */
  readonly settings: Readonly<Record<string, number>>;
}

interface Header {
  readonly protocol: typeof protocol;
}

/** Asks whether somebody serves already. */
interface Hello extends Header {
  readonly type: 'hello';
}
interface Create extends Header {
  readonly type: 'create';
  readonly id: number;
  readonly session: number;
  readonly setup: unknown;
}
interface Call extends Header {
  readonly type: 'call';
  readonly id: number;
  readonly session: number;
  readonly method: RemoteMethod;
  readonly values: readonly unknown[];
}
interface Change extends Header {
  readonly type: 'set';
  readonly id: number;
  readonly session: number;
  readonly name: string;
  readonly value: number;
}
interface Abort extends Header {
  readonly type: 'abort';
  readonly id: number;
}
/** A data set that later calls name by its number. */
interface Keep extends Header {
  readonly type: 'keep';
  readonly id: number;
  readonly tensor: unknown;
}
interface Forget extends Header {
  readonly type: 'forget';
  readonly id: number;
}

/** What is answered. */
export type Question = Create | Call | Change;
export type Request = Question | Hello | Abort | Keep | Forget;

interface Ready extends Header {
  readonly type: 'ready';
  /** What the worker holds until it ends. */
  readonly lock: string | undefined;
}
interface Done extends Header {
  readonly type: 'done';
  readonly id: number;
  readonly value: unknown;
  readonly standing: Standing | undefined;
}
interface Failed extends Header {
  readonly type: 'failed';
  readonly id: number;
  readonly error: PackedError;
  readonly standing: Standing | undefined;
}

export type Reply = Ready | Done | Failed;

/** A message of ours; undefined for those of others. */
export function readMessage<Message extends Request | Reply>(
  message: unknown,
): Message | undefined {
  const ours =
    typeof message === 'object' &&
    message !== null &&
    'protocol' in message &&
    message.protocol === protocol;
  return ours ? (message as Message) : undefined;
}
