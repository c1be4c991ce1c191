import { bufferName, resetName } from '../../artifacts/training-model.js';
import { GradwareError } from '../../errors.js';
import { differentiate } from '../../gradients/differentiate.js';
import { identityNode } from '../../graph/identity.js';
import type { ShapeOracle } from '../../graph/infer.js';
import { prune } from '../../graph/order.js';
import type { Value } from '../../graph/value.js';
import type { DataType, Graph, Model, Node, ValueInfo } from '../../onnx/ir.js';
import { usedNames } from '../../onnx/names.js';
import { didYouMean } from '../../options/nearest.js';
import { sinkSelects } from '../../step/sink.js';
import { type ForwardParts, type LaidForward, layForward } from '../source/forward-graph.js';
import {
  inputsAt,
  type OpenInputs,
  openShape,
  type Sizes,
  type Trial,
  trials,
  withOneBatch,
} from './dimensions.js';
import { generalize } from './generalize.js';
import { evaluationForm, hasOneForm, trainingForm } from './plan.js';
import { avoidWrongKernels } from './rewrite.js';

export interface ModelsRequest {
  /** The forward model, at the opset that all is written in. */
  readonly model: Model;
  readonly open: OpenInputs;
  readonly parts: ForwardParts;
  readonly trainable: readonly string[];
  readonly straightThrough: ReadonlySet<string> | undefined;
  readonly additionalOutputs: readonly string[];
  /** What the model computes before it was pruned: what a misspelt name may mean. */
  readonly computed: readonly string[];
}

export interface Models {
  readonly training: Model;
  readonly evaluation: Model;
  readonly typeOf: (name: string) => DataType | undefined;
}

/** What no choice of sizes can mend. */
const final: ReadonlySet<string> = new Set([
  'INVALID_OPTION',
  'NO_GRADIENT',
  'NO_LOWERING',
  'UNREACHABLE_PARAMETER',
]);

/** Ops that divide the sizes of what they are given, and round. */
const rounding: ReadonlySet<string> = new Set([
  'AveragePool',
  'Conv',
  'ConvTranspose',
  'LpPool',
  'MaxPool',
  'Resize',
  'Slice',
  'SpaceToDepth',
]);

/** The training and the evaluation model of a forward model and a loss.
 *  @throws GradwareError whatever is wrong with model or loss; UNSUPPORTED where an open dimension cannot stay open */
export async function layModels(request: ModelsRequest, oracle: ShapeOracle): Promise<Models> {
  const together = withOneBatch(request.open);
  try {
    return await layOpen(request, oracle);
  } catch (error) {
    if (!(error instanceof GradwareError) || final.has(error.code) || !together) throw error;
    return layOpen({ ...request, open: together }, oracle).catch(() => {
      throw error;
    });
  }
}

async function layOpen(request: ModelsRequest, oracle: ShapeOracle): Promise<Models> {
  let first: GradwareError | undefined;
  const rounds = request.model.graph.nodes.some(({ opType }) => rounding.has(opType));
  for (const { sizes, further, aligned } of trials(request.open.dimensions, rounds)) {
    // What was refused for following from the sizes in no simple way would only seem to at aligned ones.
    if (aligned && first?.code === 'UNSUPPORTED') break;
    try {
      return await layAt(request, sizes, further, oracle);
    } catch (error) {
      if (!(error instanceof GradwareError) || final.has(error.code)) throw error;
      if (first === undefined || error.code === 'UNSUPPORTED') first = error;
    }
  }
  throw first === undefined ? first : withRemedy(first, request.open);
}

/** Sizes that do not fit may be those of dimensions that are not open in truth. */
function withRemedy(error: GradwareError, { dimensions }: OpenInputs): GradwareError {
  const { code, problem, where, remedy, cause } = error;
  if (dimensions.length === 0 || (remedy !== undefined && code !== 'INVALID_MODEL')) return error;
  const names = dimensions.map(({ name }) => name).join(', ');
  const sizes = `No sizes were found that fit the open dimensions (${names}): fix some (dimensions: { <name>: <size> }).`;
  return new GradwareError(code, problem, {
    ...(where !== undefined && { where }),
    remedy: remedy === undefined ? sizes : `${sizes} If none of them should be fixed: ${remedy}`,
    cause,
  });
}

interface Graphs {
  readonly laid: LaidForward;
  /** Forward and loss. */
  readonly forward: Trial;
  /** Forward, loss and backward. */
  readonly whole: Trial;
  /** By parameter. */
  readonly gradients: ReadonlyMap<string, Value>;
}

async function layAt(
  request: ModelsRequest,
  needed: readonly Sizes[],
  further: readonly Sizes[],
  oracle: ShapeOracle,
): Promise<Models> {
  const { model, open, parts, trainable, additionalOutputs } = request;
  const lay = (graph: Graph, at: Sizes) =>
    layForward(graph, parts, inputsAt(open.inputs, at), oracle);
  const trained: Graphs[] = [];
  const sizes: Sizes[] = [];
  for (const at of [...needed, ...further]) {
    const laid = await lay(trainingForm(model.graph), at).catch((error: unknown) => {
      if (error instanceof GradwareError && further.includes(at)) return undefined;
      throw error;
    });
    if (laid === undefined) continue;
    sizes.push(at);
    requireValues(laid, additionalOutputs, request.computed);
    const forward = { ...laid.builder, nodes: [...laid.builder.nodes] };
    const { straightThrough } = request;
    const { gradients } = differentiate(laid.builder, laid.loss, trainable, { straightThrough });
    avoidWrongKernels(
      laid.builder,
      open.dimensions.some(({ axis }) => axis === 0),
    );
    trained.push({ laid, forward, whole: laid.builder, gradients });
  }
  const [example] = trained as unknown as readonly [Graphs];
  const evaluated: Trial[] = [];
  if (hasOneForm(model.graph)) evaluated.push(...trained.map(({ forward }) => forward));
  else for (const at of sizes) evaluated.push((await lay(evaluationForm(model.graph), at)).builder);

  const info = (name: string, of: readonly Trial[]): ValueInfo => {
    const values = of.map((trial) => trial.values.get(name) as Value);
    const shape = openShape(
      values.map((value) => value.shape),
      sizes,
    );
    return { name, type: values[0]?.type, shape };
  };
  const wholes = trained.map(({ whole }) => whole);
  const given = example.laid.inputs.map(({ name }) => info(name, wholes));
  const weights = example.laid.weights.map(({ name }) => info(name, wholes));
  const results = [example.laid.loss.name, ...additionalOutputs];

  const { nodes, initializers } = generalize(wholes, open.dimensions, sizes);
  const accumulation = accumulate(example.gradients, example.whole);
  const outs = accumulation.map(({ out }) => out.name);
  const training = graphOf(
    [...nodes, ...accumulation.flatMap((each) => each.nodes)],
    initializers,
    [...given, ...weights, ...accumulation.map(({ buffer }) => buffer), lazyReset],
    [...results.map((name) => info(name, wholes)), ...accumulation.map(({ out }) => out)],
    [...results, ...outs],
  );
  const plain = generalize(evaluated, open.dimensions, sizes);
  const evaluation = graphOf(
    plain.nodes,
    plain.initializers,
    [...given, ...weights],
    results.map((name) => info(name, evaluated)),
    results,
  );
  // ORT's pooling gradients read the shape that the model states.
  const pooled = training.nodes
    .filter(({ opType }) => /PoolGrad$/.test(opType))
    .flatMap(({ outputs }) => outputs)
    .map((name) => [name, info(name, wholes)] as const);
  const wrap = (graph: Graph): Model => ({ ...model, graph, irVersion: 10, producer: 'gradware' });
  return {
    training: wrap({ ...training, name: model.graph.name, valueInfo: new Map(pooled) }),
    evaluation: wrap({ ...evaluation, name: model.graph.name }),
    typeOf: (name) => example.whole.values.get(name)?.type,
  };
}

function requireValues(
  { builder }: LaidForward,
  names: readonly string[],
  computed: readonly string[],
): void {
  const missing = names.find((name) => !builder.values.has(name));
  if (missing === undefined) return;
  const made = computed.filter((name) => name !== '');
  throw new GradwareError('INVALID_OPTION', `The model makes no value "${missing}"`, {
    where: 'additionalOutputNames',
    remedy: didYouMean(missing, made, 'Name an output of one of its nodes.'),
  });
}

const lazyReset: ValueInfo = { name: resetName, type: 'bool', shape: [1] };

interface Accumulation {
  readonly nodes: readonly Node[];
  readonly buffer: ValueInfo;
  readonly out: ValueInfo;
}

/** A buffer for each gradient, which ORT's runtime clears or adds to in place. */
function accumulate(
  gradients: ReadonlyMap<string, Value>,
  { values }: Trial,
): readonly Accumulation[] {
  return [...gradients].map(([name, gradient], i) => {
    const own = `${name}_grad`;
    const buffer = bufferName(name);
    const out = `${own}.accumulation.out`;
    const { type, shape } = gradient;
    // Two parameters may have one gradient: each needs it under its name.
    const alias: readonly Node[] =
      gradient.name === own || values.has(own)
        ? []
        : [identityNode(gradient.name, own, `${own}/Identity`)];
    const source = alias.length > 0 ? own : gradient.name;
    return {
      nodes: [
        ...alias,
        {
          name: `GradientAccumulator${i}`,
          opType: 'InPlaceAccumulatorV2',
          domain: 'com.microsoft',
          inputs: [buffer, source, lazyReset.name],
          outputs: [out],
          attributes: {},
        },
      ],
      buffer: { name: buffer, type, shape },
      out: { name: out, type: 'bool', shape: [1] },
    };
  });
}

function graphOf(
  all: readonly Node[],
  constants: Graph['initializers'],
  inputs: readonly ValueInfo[],
  outputs: readonly ValueInfo[],
  wanted: readonly string[],
): Graph {
  const nodes = sinkSelects(prune(all, wanted), wanted);
  const used = new Set([...nodes.flatMap(usedNames), ...wanted]);
  const initializers = new Map([...constants].filter(([name]) => used.has(name)));
  return { name: '', nodes, inputs, outputs, initializers, valueInfo: new Map() };
}
