import type { Precision } from '../training/plan.js';
import type { SessionFlags } from './shared.js';

/** Options of `train`. */
export interface TrainFlags extends SessionFlags {
  readonly val?: number | string;
  readonly optimizer: readonly string[];
  readonly group: readonly string[];
  readonly schedule?: string;
  readonly train?: readonly string[];
  readonly freeze?: readonly string[];
  readonly batchNorm?: 'train' | 'frozen';
  readonly plugin: readonly string[];
  readonly precision: Precision;
  readonly epochs: number;
  readonly out: string;
  readonly resume?: string;
  readonly checkpointEvery?: number;
  readonly logEvery: number;
}
