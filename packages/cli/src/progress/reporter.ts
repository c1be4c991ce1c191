import type { EpochEvent, Evaluation, StepsEvent } from '@gradware/core';

/** What is known before the first step. */
export interface StartInfo {
  readonly model: string;
  readonly provider: string;
  readonly plugins: readonly string[];
  readonly trainable: number;
  readonly frozen: number;
  readonly examples: number;
  /** Before the first step. */
  readonly validation: Evaluation | undefined;
  readonly batchSize: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** Steps that earlier runs made. */
  readonly step: number;
  readonly resumed: boolean;
  readonly seed: number;
  readonly out: string;
}

export interface EndInfo {
  readonly status: 'completed' | 'stopped';
  readonly step: number;
  readonly seconds: number;
  readonly validation: Evaluation | undefined;
  readonly checkpoint: string | undefined;
  readonly model: string | undefined;
}

/** Tells how training goes. */
export interface Reporter {
  start(info: StartInfo): void;
  warning(message: string): void;
  steps(event: StepsEvent, learningRate: (step: number) => number): void;
  epoch(event: EpochEvent, checkpoint: string): void;
  end(info: EndInfo): void;
  /** Leaves the terminal as it was, whatever happened. */
  close(): void;
}
