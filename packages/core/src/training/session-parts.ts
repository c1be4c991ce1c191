import type { Provider } from '../lowering/rule.js';
import type { TensorData } from '../onnx/ir.js';
import type { Runtime, SessionOptions } from '../runtime/runtime.js';
import type { Setting } from '../schedules/schedule.js';
import type { Execution } from './api.js';
import type { TrainingPlan } from './groups.js';
import type { ModelSource } from './source.js';

/** What a session is made of: a model that is loaded, a chain that is laid out, a provider that works. */
export interface SessionParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly plan: TrainingPlan;
  readonly learningRate: Setting;
  readonly provider: Provider;
  readonly execution: Execution;
  readonly seed: number;
  readonly wantsMetric: (name: string) => boolean;
  readonly sessionOptions: SessionOptions;
  readonly warnings: readonly string[];
  /** State of the optimizer that came with the artifacts, by key. */
  readonly initialState: ReadonlyMap<string, TensorData>;
}
