import { parseTrainingModel } from '../../artifacts/training-model.js';
import { gradientRuleOf } from '../../gradients/rules/index.js';
import { decompositionOf } from '../../graph/decompose/index.js';
import { prune } from '../../graph/order.js';
import { upgradeModel } from '../../graph/upgrade.js';
import { canLower } from '../../lowering/lower.js';
import type { DataType, Node, ValueInfo } from '../../onnx/ir.js';
import type { FileAccess } from '../../runtime/runtime.js';
import type { ArtifactFiles, TrainingOptions } from '../api.js';
import { findArtifacts } from '../source/find-artifacts.js';
import { type Cut, gradientPaths } from '../source/gradient-paths.js';
import {
  isArtifactFiles,
  type ReadForward,
  readForwardModel,
  readModel,
  type Trainable,
} from '../source/load.js';
import { loadParameters } from '../source/load-checkpoint.js';
import {
  chooseParameters,
  evaluationExportWarnings,
  notReached,
  type ParameterChoice,
} from '../source/trainable.js';

/** How often an op is used, and what Gradware can do with it. */
export interface OpUse {
  readonly op: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  readonly count: number;
  /** Whether a gradient has to flow through it, and whether there is a rule; artifacts hold their gradients. */
  readonly gradient: 'known' | 'missing' | 'not needed';
  /** Whether steps do without it, or ONNX Runtime can run it, as it is or rewritten. */
  readonly runs: boolean;
  /** The nodes where a gradient is missing, or that cannot run. */
  readonly refused: readonly string[];
}

/** Why no gradient comes back to a parameter. */
export interface ParameterCut {
  readonly parameter: string;
  readonly nodes: readonly Cut[];
}

/** What Gradware sees in a model. */
export interface Inspection {
  readonly kind: 'artifacts' | 'forward';
  readonly file: string;
  readonly producer: string;
  readonly opset: number | undefined;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly parameters: readonly ParameterChoice[];
  readonly ops: readonly OpUse[];
  /** Parameters that would train and that no gradient reaches: training them is refused. */
  readonly unreachable: readonly string[];
  /** Parameters that the loss depends on, but only through nodes that let no gradient through. */
  readonly cuts: readonly ParameterCut[];
  readonly warnings: readonly string[];
}

export type InspectOptions = Pick<
  TrainingOptions,
  'lossInputNames' | 'requiresGrad' | 'frozenParams'
>;

/** What `inspectModel` does. */
export async function inspect(
  files: FileAccess,
  given: Trainable,
  options: InspectOptions = {},
): Promise<Inspection> {
  if (isArtifactFiles(given)) return inspectArtifacts(files, given);
  if (
    !(given instanceof Uint8Array) &&
    !(given instanceof ArrayBuffer) &&
    (await files.isFolder(given))
  )
    return inspectArtifacts(files, await findArtifacts(files, given));
  return inspectForward(await readForwardModel(files, given), options);
}

function inspectForward(read: ReadForward, options: InspectOptions): Inspection {
  const { model, file } = read;
  const { graph } = upgradeModel(model);
  const predictions = options.lossInputNames ?? graph.outputs.slice(0, 1).map(({ name }) => name);
  const { requiresGrad, frozenParams } = options;
  const parameters = chooseParameters(graph, predictions, {
    requiresGrad,
    frozenParams,
    kinds: read.kinds,
  });
  const trained = parameters.filter(({ trains }) => trains).map(({ name }) => name);
  const asked = parameters.flatMap(({ name, why }) =>
    trained.includes(name) || why === notReached ? [name] : [],
  );
  const { onPath, unreachable } = gradientPaths(graph, trained, predictions, asked);
  const cuts = [...unreachable].flatMap(([parameter, nodes]) =>
    nodes.length > 0 ? [{ parameter, nodes }] : [],
  );
  return {
    kind: 'forward',
    file,
    producer: model.producer,
    opset: model.opsets.get(''),
    inputs: model.graph.inputs.filter(({ name }) => !model.graph.initializers.has(name)),
    outputs: model.graph.outputs,
    parameters,
    ops: countOps(
      graph.nodes,
      (node) => {
        if (!onPath.has(node)) return 'not needed';
        return hasGradient(node) ? 'known' : 'missing';
      },
      new Set(prune(graph.nodes, predictions)),
    ),
    unreachable: [...unreachable.keys()].filter((name) => trained.includes(name)),
    cuts,
    warnings: evaluationExportWarnings(model.graph, undefined, read.traces),
  };
}

async function inspectArtifacts(files: FileAccess, given: ArtifactFiles): Promise<Inspection> {
  const { model, file } = await readModel(files, given.trainModel, 'the training model');
  const checkpoint = await loadParameters(files, given.checkpointState);
  const held = new Map([...checkpoint.trainable, ...checkpoint.frozen]);
  const parsed = parseTrainingModel(upgradeModel(model), { file, parameters: held.keys() });
  const trained = new Set(parsed.trainable.map(({ parameter }) => parameter));
  const infos = new Map(parsed.graph.outputs.map((info) => [info.name, info]));
  return {
    kind: 'artifacts',
    file,
    producer: model.producer,
    opset: model.opsets.get(''),
    inputs: parsed.userInputs,
    outputs: [infos.get(parsed.loss) ?? { name: parsed.loss }, ...parsed.outputs],
    parameters: parsed.parameterInputs.map(({ name, type, shape }) => ({
      name,
      type: (held.get(name)?.type ?? type ?? 'float32') as DataType,
      shape: held.get(name)?.dims ?? (shape ?? []).map((dim) => Number(dim)),
      trains: trained.has(name),
      why: trained.has(name) ? 'the artifacts have its gradient' : 'the artifacts have no gradient',
    })),
    ops: countOps(parsed.graph.nodes, () => 'not needed'),
    unreachable: [],
    cuts: [],
    warnings: [],
  };
}

/** By a rule, or taken apart into nodes that have one. */
function hasGradient(node: Node): boolean {
  return gradientRuleOf(node) !== undefined || decompositionOf(node) !== undefined;
}

const severity = ['not needed', 'known', 'missing'] as const;

function countOps(
  nodes: readonly Node[],
  gradientOf: (node: Node) => OpUse['gradient'],
  inSteps: ReadonlySet<Node> = new Set(nodes),
): readonly OpUse[] {
  const uses = new Map<string, OpUse>();
  for (const node of nodes) {
    const key = `${node.domain}.${node.opType}`;
    const gradient = gradientOf(node);
    const runs = canLower(node) || decompositionOf(node) !== undefined || !inSteps.has(node);
    const known = uses.get(key);
    const refused = gradient === 'missing' || !runs ? [node.name || (node.outputs[0] ?? '')] : [];
    const rank = Math.max(
      severity.indexOf(gradient),
      severity.indexOf(known?.gradient ?? gradient),
    );
    uses.set(key, {
      op: node.opType,
      domain: node.domain,
      count: (known?.count ?? 0) + 1,
      gradient: severity[rank] ?? gradient,
      runs: runs && (known?.runs ?? true),
      refused: [...(known?.refused ?? []), ...refused],
    });
  }
  return [...uses.values()].sort((a, b) => b.count - a.count || (a.op < b.op ? -1 : 1));
}
