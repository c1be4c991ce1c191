export { tensorOf } from './graph/constants.js';
export type { Graph, Model, Node } from './onnx/ir.js';
export { encodeModel } from './onnx/model.js';
export { type Bench, type BenchOptions, type BenchStep, createBench } from './testing/bench.js';
export type { Check } from './testing/checks.js';
export {
  type OptimizerTestOptions,
  optimizerChecks,
  testOptimizer,
} from './testing/optimizer-suite.js';
export { countPasses, type Passes, type PassOptions } from './testing/passes.js';
export { pluginChecks, testPlugin } from './testing/plugin-suite.js';
export type { PluginMaker, PluginTestOptions } from './testing/plugin-trial.js';
export type { Tensors, TestRuntime } from './testing/runtime.js';
export { float32, floats, type TensorLike } from './testing/tensors.js';
export {
  expectNumbers,
  type TensorsLike,
  type TriedStep,
  type TryOptions,
  tryChain,
} from './testing/try-chain.js';
