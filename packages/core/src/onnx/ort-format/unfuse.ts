import { GradwareError } from '../../errors.js';
import type { Attribute, Graph, Node, TensorData } from '../ir.js';
import { subgraphs } from '../names.js';
import { scalar } from '../tensor.js';

/** What ONNX Runtime appends to a product or a convolution. */
interface Activation {
  readonly name: string;
  readonly parameters: readonly number[];
}

/** The activations that it fuses, and the attributes that their parameters are. */
const activations: Readonly<Record<string, readonly string[]>> = {
  Clip: ['min', 'max'],
  Elu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
  LeakyRelu: ['alpha'],
  Relu: [],
  Sigmoid: [],
  Softplus: [],
  Softsign: [],
  Tanh: [],
  ThresholdedRelu: ['alpha'],
};

/** Ops of com.microsoft that are a standard op, a sum with the input after its own (if any), and an activation. */
const fused: Readonly<Record<string, { readonly opType: string; readonly inputs: number }>> = {
  FusedConv: { opType: 'Conv', inputs: 3 },
  FusedGemm: { opType: 'Gemm', inputs: 3 },
};

/** From here on Clip takes its bounds as inputs. */
const clipByInputs = 11;

/** Takes products and convolutions apart that ONNX Runtime fused with their activation: stock kernels for them are
 *  on CPUs only, and standard ops have gradients. Nested graphs too.
 *  @throws GradwareError UNSUPPORTED for an activation that is not known */
export function unfuse(graph: Graph, opsets: ReadonlyMap<string, number>, file: string): Graph {
  const constants = new Map<string, TensorData>();
  const clips = (opsets.get('') ?? 1) >= clipByInputs;

  function takeApart(node: Node): readonly Node[] {
    const form = node.domain === 'com.microsoft' ? fused[node.opType] : undefined;
    const [output = ''] = node.outputs;
    if (form === undefined || output === '')
      return [subgraphs(node).length === 0 ? node : withinSubgraphs(node)];
    const activation = activationOf(node, file);
    const added = node.inputs[form.inputs] ?? '';
    const steps: Step[] = [
      {
        opType: form.opType,
        inputs: trimmed(node.inputs.slice(0, form.inputs)),
        attributes: Object.fromEntries(
          Object.entries(node.attributes).filter(([name]) => !name.startsWith('activation')),
        ),
      },
      ...(added === '' ? [] : [{ opType: 'Add', inputs: [added], attributes: {} }]),
      ...(activation === undefined ? [] : [activationStep(activation, output)]),
    ];
    return steps.map(({ opType, inputs, attributes }, i): Node => {
      const value = (at: number) => (at === steps.length - 1 ? output : `${output}/unfused_${at}`);
      return {
        name: i === 0 ? node.name : `${node.name}/${opType}`,
        opType,
        domain: '',
        inputs: i === 0 ? inputs : [value(i - 1), ...inputs],
        outputs: [value(i)],
        attributes,
      };
    });
  }

  function activationStep({ name, parameters }: Activation, output: string): Step {
    const names = activations[name] ?? [];
    if (name === 'Clip' && clips) {
      const inputs = parameters.map((value, i) => {
        const constant = `${output}/${names[i]}`;
        constants.set(constant, scalar('float32', value));
        return constant;
      });
      return { opType: name, inputs, attributes: {} };
    }
    const attributes = parameters.map((value, i): [string, Attribute] => [
      names[i] ?? '',
      { type: 'float', value },
    ]);
    return { opType: name, inputs: [], attributes: Object.fromEntries(attributes) };
  }

  function withinSubgraphs(node: Node): Node {
    const inner = (nested: Graph) => unfuse(nested, opsets, file);
    const attributes = Object.entries(node.attributes).map(([name, attribute]) => {
      if (attribute.type === 'graph')
        return [name, { ...attribute, value: inner(attribute.value) }] as const;
      if (attribute.type === 'graphs')
        return [name, { ...attribute, value: attribute.value.map(inner) }] as const;
      return [name, attribute] as const;
    });
    return { ...node, attributes: Object.fromEntries(attributes) };
  }

  const nodes = graph.nodes.flatMap(takeApart);
  return { ...graph, nodes, initializers: new Map([...graph.initializers, ...constants]) };
}

interface Step {
  readonly opType: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Without the absent inputs at the end. */
function trimmed(inputs: readonly string[]): readonly string[] {
  const last = inputs.findLastIndex((name) => name !== '');
  return inputs.slice(0, last + 1);
}

/** Gemm names the parameters one by one, Conv has a list of them. */
function activationOf(node: Node, file: string): Activation | undefined {
  const { activation, activation_params: list } = node.attributes;
  if (activation === undefined || (activation.type === 'string' && activation.value === ''))
    return undefined;
  const where = `${file}, node "${node.name}" (${node.opType})`;
  const name = activation.type === 'string' ? activation.value : '';
  const known = Object.hasOwn(activations, name) ? activations[name] : undefined;
  if (known === undefined)
    throw new GradwareError('UNSUPPORTED', `${node.opType} has the activation "${name}"`, {
      where,
      remedy: 'Give the .onnx file that ONNX Runtime made this one of.',
    });
  if (list?.type === 'floats') return { name, parameters: list.value };
  const parameters = known.flatMap((parameter) => {
    const attribute = node.attributes[`activation_${parameter}`];
    return attribute?.type === 'float' ? [attribute.value] : [];
  });
  return { name, parameters };
}
