import type { Provider } from '../lowering/rule.js';
import type { TensorData } from '../onnx/ir.js';
import type { Optimizer } from '../optimizers/optimizer.js';
import type { GradientPlugin } from '../plugins/plugin.js';
import type { Runtime, SessionOptions } from '../runtime/runtime.js';
import type { Setting } from '../schedules/schedule.js';
import type { ModelSource } from './source.js';

/** What a session is made of: a model that is loaded, a chain that is chosen, a provider that works. */
export interface SessionParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly plugins: readonly GradientPlugin[];
  readonly optimizer: Optimizer;
  readonly learningRate: Setting;
  readonly provider: Provider;
  readonly seed: number;
  readonly wantsMetric: (name: string) => boolean;
  readonly sessionOptions: SessionOptions;
  readonly warnings: readonly string[];
  /** State of the optimizer that came with the artifacts, by key. */
  readonly initialState: ReadonlyMap<string, TensorData>;
}
