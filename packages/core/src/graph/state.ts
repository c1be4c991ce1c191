import type { DataType } from '../onnx/ir.js';
import type { Value } from './value.js';

export interface StateOptions {
  /** Takes type and shape (and the parameter it belongs to) from this value. */
  readonly like?: Value;
  /** Default: a scalar. */
  readonly shape?: readonly number[];
  /** Default: float32. */
  readonly dtype?: DataType;
  /** What it is filled with before the first step. Default 0. */
  readonly init?: number;
  /** Kept also where a step is dropped (not where an earlier plugin waits); with `later` only where it is a later
   *  plugin that drops it: what an earlier one drops has then never been seen. */
  readonly survives?: boolean | 'later';
}

/** A tensor that a plugin or an optimizer keeps from step to step; part of every checkpoint. */
export interface State {
  readonly value: Value;
  /** Says what it becomes. Returns `next`. */
  set(next: Value): Value;
}
