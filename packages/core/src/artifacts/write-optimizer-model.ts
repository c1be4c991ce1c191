import { modelOf } from '../graph/model.js';
import type { Attribute, Model, Node, ValueInfo } from '../onnx/ir.js';
import type { AdamWDescription, OptimizerDescription } from './optimizer-model.js';

const lists = ['params', 'gradients', 'first_order_moments', 'second_order_moments'] as const;

function adamAttributes(adamw: AdamWDescription): Readonly<Record<string, Attribute>> {
  return {
    adam_mode: { type: 'int', value: adamw.mode === 'torch' ? 0 : 1 },
    alpha: { type: 'float', value: adamw.betas[0] },
    beta: { type: 'float', value: adamw.betas[1] },
    correct_bias: { type: 'int', value: adamw.biasCorrection ? 1 : 0 },
    epsilon: { type: 'float', value: adamw.epsilon },
    weight_decay: { type: 'float', value: adamw.weightDecay },
  };
}

/** The optimizer_model.onnx of a description: the inputs that ONNX Runtime's training API demands, in its order, and
 *  one optimizer node, after one that clips the gradients where they are clipped. */
export function optimizerModel(description: OptimizerDescription): Model {
  const { kind, clipGradNorm } = description;
  const adam = kind === 'adamw';
  const clip: readonly Node[] =
    clipGradNorm === undefined
      ? []
      : [
          {
            name: 'clip_grad_norm',
            opType: 'InplaceClipGradNorm',
            domain: 'com.microsoft',
            inputs: ['gradients'],
            outputs: ['clipped_gradients'],
            attributes: {
              max_norm: { type: 'float', value: clipGradNorm.maxNorm },
              norm_type: { type: 'string', value: 'fro' },
            },
          },
        ];
  const gradients = clip.length > 0 ? 'clipped_gradients' : 'gradients';
  const node: Node = {
    name: adam ? 'adamw' : 'sgd',
    opType: adam ? 'AdamWOptimizer' : 'SGDOptimizerV2',
    domain: 'com.microsoft',
    inputs: adam
      ? ['learning_rate', 'step', 'params', gradients, ...lists.slice(2)]
      : ['learning_rate', 'params', gradients],
    outputs: ['update_completed'],
    attributes: adam ? adamAttributes(description) : {},
  };
  // SGD takes no moments and no step, and yet the runtime feeds the step and the first.
  const sequences = adam ? lists : lists.slice(0, 3);
  const inputs: readonly ValueInfo[] = [
    { name: 'learning_rate', type: 'float32', shape: [1] },
    { name: 'step', type: 'int64', shape: [1] },
    ...sequences.map((name): ValueInfo => ({ name, type: 'sequence', element: 'float32' })),
  ];
  return modelOf({
    name: 'optimizer',
    nodes: [...clip, node],
    inputs,
    // What each op infers: the web build of the runtime refuses any other declaration.
    outputs: [{ name: 'update_completed', type: 'bool', shape: adam ? [1] : [] }],
    initializers: new Map(),
    valueInfo: new Map(),
  });
}
