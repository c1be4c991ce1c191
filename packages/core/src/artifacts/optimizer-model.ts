import { GradwareError } from '../errors.js';
import type { Model, Node } from '../onnx/ir.js';
import { generateAgain } from './remedies.js';

/** The optimizer of an artifact set. ONNX Runtime's optimizer models declare types that its own runtime refuses, so
 *  only the nodes and their attributes count here. */
export type OptimizerDescription = (AdamWDescription | SgdDescription) & {
  /** Gradients are scaled to at most this norm, all together, before the step. */
  readonly clipGradNorm?: { readonly maxNorm: number };
};

export interface AdamWDescription {
  readonly kind: 'adamw';
  /** `torch` decays the weights before the step, with epsilon inside the bias correction; `huggingface` decays them
   *  after it, with epsilon outside (ONNX Runtime's adam_mode 0 and 1). */
  readonly mode: 'torch' | 'huggingface';
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
  readonly biasCorrection: boolean;
}

export interface SgdDescription {
  readonly kind: 'sgd';
}

type Recognise = (attributes: Attributes, where: string) => AdamWDescription | SgdDescription;

/** A number among the attributes, or ONNX Runtime's default. */
type Attributes = (name: string, missing: number) => number;

function adamw(decay: string, correct: string, mode: string, defaults: AdamDefaults): Recognise {
  return (attribute, where) => {
    const adamMode = attribute(mode, 0);
    const biasCorrection = attribute(correct, 1) !== 0;
    if (adamMode !== 0 && adamMode !== 1)
      unsupported(`AdamW has the unknown mode ${adamMode}`, where);
    if (adamMode === 0 && !biasCorrection && mode === 'adam_mode') {
      unsupported("AdamW in PyTorch's form (adam_mode 0) needs its bias correction", where);
    }
    return {
      kind: 'adamw',
      mode: adamMode === 0 ? 'torch' : 'huggingface',
      betas: [attribute('alpha', 0.9), attribute('beta', 0.999)],
      epsilon: attribute('epsilon', defaults.epsilon),
      weightDecay: attribute(decay, defaults.weightDecay),
      biasCorrection,
    };
  };
}

interface AdamDefaults {
  readonly epsilon: number;
  readonly weightDecay: number;
}

/** Optimizer ops of com.microsoft. The single-tensor ones come once for each parameter, in the oldest artifacts. */
const optimizers: ReadonlyMap<string, Recognise> = new Map<string, Recognise>([
  [
    'AdamWOptimizer',
    adamw('weight_decay', 'correct_bias', 'adam_mode', { epsilon: 1e-8, weightDecay: 1e-2 }),
  ],
  [
    'AdamOptimizer',
    adamw('lambda', 'do_bias_correction', 'weight_decay_mode', { epsilon: 1e-8, weightDecay: 0 }),
  ],
  ['SGDOptimizerV2', () => ({ kind: 'sgd' })],
  ['SGDOptimizer', () => ({ kind: 'sgd' })],
]);

/** The optimizer that an optimizer_model.onnx describes, with ONNX Runtime's defaults for what it leaves out.
 *  @throws GradwareError UNSUPPORTED for another optimizer or several different ones. */
export function readOptimizerModel(
  model: Model,
  file = 'the optimizer model',
): OptimizerDescription {
  const nodes = model.graph.nodes.filter(({ domain }) => domain === 'com.microsoft');
  const found = nodes.flatMap((node) => {
    const recognise = optimizers.get(node.opType);
    const where = `${file}, node "${node.name}" (${node.opType})`;
    return recognise === undefined ? [] : [recognise(reader(node, where), where)];
  });
  const [first] = found;
  if (first === undefined) {
    const ops = [...new Set(model.graph.nodes.map(({ opType }) => opType))];
    return unsupported(
      `No known optimizer is in this model, which has the ops ${ops.join(', ') || '(none)'}`,
      file,
      'AdamWOptimizer and SGDOptimizerV2 are known; or name an optimizer instead of the model.',
    );
  }
  if (found.some((other) => JSON.stringify(other) !== JSON.stringify(first))) {
    return unsupported('The parameters have optimizers with different settings', file);
  }
  refuseComputed(model.graph.nodes, file);
  const clips = nodes.filter(isClip);
  const [clip] = clips;
  if (clip === undefined) return first;
  const where = `${file}, node "${clip.name}" (${clip.opType})`;
  const norm = clip.attributes.norm_type;
  if (clips.length > 1) unsupported('The gradients are clipped more than once', where);
  if (norm !== undefined && !(norm.type === 'string' && norm.value === 'fro')) {
    unsupported('Gradients are clipped by another norm than "fro"', where);
  }
  return { ...first, clipGradNorm: { maxNorm: reader(clip, where)('max_norm', 1) } };
}

/** What may stand between the inputs of the model and an optimizer, and leaves what it is given as it is. */
const passing: ReadonlySet<string> = new Set([
  'Constant',
  'Identity',
  'SequenceAt',
  'SequenceConstruct',
  'SequenceEmpty',
  'SequenceInsert',
]);

/** Own blocks may put anything in front of the optimizer: a learning rate that is halved, gradients that are scaled.
 *  Left out, they would change the training without a word.
 *  @throws GradwareError UNSUPPORTED naming the node */
function refuseComputed(nodes: readonly Node[], file: string): void {
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  const seen = new Set<Node>();
  const open = nodes.filter(isOptimizer);
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const name of node.inputs) {
      const producer = name === '' ? undefined : producers.get(name);
      if (producer === undefined || seen.has(producer)) continue;
      seen.add(producer);
      if (!(isOptimizer(producer) || isClip(producer) || passing.has(producer.opType)))
        unsupported(
          `The optimizer is given "${name}", which the model computes`,
          `${file}, node "${producer.name}" (${producer.opType})`,
          'Leave the optimizer model out, and name optimizer, schedule and plugins instead.',
        );
      open.push(producer);
    }
  }
}

const isOptimizer = ({ domain, opType }: Node) =>
  domain === 'com.microsoft' && optimizers.has(opType);

const isClip = ({ domain, opType }: Node) =>
  domain === 'com.microsoft' && opType === 'InplaceClipGradNorm';

function reader(node: Node, where: string): Attributes {
  return (name, missing) => {
    const attribute = node.attributes[name];
    if (attribute === undefined) return missing;
    if (attribute.type === 'float' || attribute.type === 'int') return attribute.value;
    throw new GradwareError('INVALID_MODEL', `The attribute "${name}" is no number`, {
      where,
      remedy: generateAgain,
    });
  };
}

function unsupported(problem: string, where: string, remedy?: string): never {
  throw new GradwareError('UNSUPPORTED', problem, {
    where,
    ...(remedy === undefined ? {} : { remedy }),
  });
}
