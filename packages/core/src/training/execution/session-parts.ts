import type { TensorData } from '../../onnx/ir.js';
import type { Runtime } from '../../runtime/runtime.js';
import type { Setting } from '../../schedules/schedule.js';
import type { ModelSource } from '../source/source.js';
import type { OpenDevice } from './device.js';
import type { TrainingPlan } from './groups.js';

/** What a session is made of: a model that is loaded, a chain that is laid out, a provider that works. */
export interface SessionParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly plan: TrainingPlan;
  readonly learningRate: Setting;
  /** What it runs on at first. */
  readonly device: OpenDevice;
  /** Opens a device anew, after one was lost. */
  readonly reopen: () => Promise<OpenDevice>;
  readonly seed: number;
  /** Whether forward and backward pass compute in float16. */
  readonly halfPrecision: boolean;
  readonly wantsMetric: (name: string) => boolean;
  readonly warnings: readonly string[];
  /** State of the optimizer that came with the artifacts, by key. */
  readonly initialState: ReadonlyMap<string, TensorData>;
}
