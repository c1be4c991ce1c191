import { isFloatType } from '../../../onnx/element-types.js';
import type { Graph, Node } from '../../../onnx/ir.js';
import type { ModelNotes, Notes } from '../../../onnx/metadata.js';

const callKey = 'pkg.torch.onnx.fx_node';
const kindKey = 'pkg.torch.export.graph_signature.InputSpec.kind';
const scopesKey = 'pkg.torch.onnx.name_scopes';
const tokenKey = 'pkg.torch.onnx.original_node_name';

const noNotes: Notes = new Map();

/** As torch.export names the input that a parameter, a buffer or a constant becomes, but for its prefix. */
export const mangled = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '_');

/** Where a call of PyTorch takes an initializer. */
export interface Slot {
  readonly node: Node;
  readonly i: number;
  readonly name: string;
}

/** The nodes that one call of PyTorch became. */
export interface Call {
  /** The operator, without its overload: linear, conv2d, batch_norm, ... */
  readonly target: string;
  /** What it takes of the model's state, in order: p_ parameters, b_ buffers, c_ constants. */
  readonly tokens: readonly string[];
  /** The modules around it, the innermost first. */
  readonly scopes: readonly string[];
  readonly nodes: readonly Node[];
  /** Where its nodes take initializers of floats that have axes. */
  readonly slots: readonly Slot[];
  /** The rules by which the exporter rewrote it. */
  readonly rules: string;
}

/** Whether a batch norm was folded into the convolution of a call. */
export const isFolded = ({ rules }: Call) => rules.includes('FuseBatchNorm');

export interface TorchNotes {
  readonly calls: readonly Call[];
  /** What an initializer is called in calls. */
  tokenOf(name: string): string | undefined;
  kindOf(name: string): 'parameter' | 'constant' | undefined;
  /** The same of an initializer, or of all that it was computed of when the model was exported. */
  tokensOf(name: string): readonly string[];
  /** What an initializer was computed of when the model was exported, without what was made of nothing. */
  originsOf(name: string): readonly string[];
  /** What was computed when the model was exported, and of which parameter. */
  readonly computed: readonly (readonly [string, string])[];
}

/** What is made of nothing, or lifted from the code. */
const made =
  /^(?:.*\.)?(new_)?(arange|full|ones|zeros|eye|linspace|empty|scalar_tensor|lift\w*)(_like)?(_\d+)?$/;
/** What operators call what they compute, which no parameter of the model itself is called. */
const results =
  /^_?(abs|add|bitwise_\w+|cat|ceil|clamp|clone|convert_element_type\w*|copy|cos|cumsum|div|einsum|eq|exp|expand|fill|flatten|flip|floor|floor_divide|ge|gt|index|index_put|le|log|logical_\w+|lt|masked_fill|matmul|mean|meshgrid|mul|ne|neg|outer|pad|permute|pow|reciprocal|remainder|repeat|reshape|roll|rsqrt|rsub|select|select_scatter|sigmoid|sign|sin|slice|slice_scatter|split|sqrt|squeeze|stack|sub|sum|t|tanh|tile|to|to_copy|transpose|tril|triu|true_divide|unbind|unsqueeze|view|where|dim|dtype|end|fill_value|int64\w*|one|result|self|shape|size|start|step|tmp|value|zero)(_\d+)*$/;
const numbered = /^val_\d+$/;
/** Tables that libraries compute beforehand, and tensors that stand in the code of a module. */
const tables = /(^|\.)(inv_freq|relative_coords_table|position_ids|lifted_tensor_\d+)$/;

/** Their weights are put in another order, and nothing else. */
const recurrences: ReadonlySet<string> = new Set(['GRU', 'LSTM', 'RNN']);

const listOf = (text = ''): string[] =>
  Array.from(text.matchAll(/'([^']*)'/g), ([, item = '']) => item);

/** What PyTorch's exporter (torch.onnx.export, dynamo=True) noted. Undefined for models that have no such notes. */
export function torchNotes(
  { nodes, inputs, initializers }: Graph,
  { nodes: ofNodes, values }: ModelNotes,
): TorchNotes | undefined {
  const notesOf = ({ outputs }: Node) => ofNodes.get(outputs[0] ?? '') ?? noNotes;
  const fed = new Set(inputs.map(({ name }) => `%${name}`));
  const together = new Map<string, Node[]>();
  for (const node of nodes) {
    const call = notesOf(node).get(callKey);
    if (call === undefined) continue;
    const others = together.get(call);
    if (others === undefined) together.set(call, [node]);
    else others.push(node);
  }
  if (together.size === 0) return undefined;
  const hasAxes = (name: string) => {
    const tensor = initializers.get(name);
    return tensor !== undefined && isFloatType(tensor.type) && tensor.dims.length > 0;
  };
  const calls = Array.from(together, ([text, own]): Call => {
    const notes = own.map(notesOf);
    const rules = notes.map((each) => each.get('pkg.onnxscript.rewriter.rule_name') ?? '').join();
    const given = text.slice(text.indexOf('](args'));
    return {
      target: /target=torch\.ops\.\w+\.(\w+)/.exec(text)?.[1] ?? '',
      tokens: (given.match(/%[pbc]_\w+/g) ?? []).flatMap((name) =>
        fed.has(name) ? [] : [name.slice(1)],
      ),
      scopes: listOf(notes[0]?.get(scopesKey)).reverse(),
      nodes: own,
      slots: own.flatMap((node) =>
        node.inputs.flatMap((name, i) => (hasAxes(name) ? [{ node, i, name }] : [])),
      ),
      rules,
    };
  });
  // The exporter writes Split anew, without notes; what takes a part of it has some.
  for (const node of nodes) {
    const [name = ''] = node.inputs;
    const own = /\bin_proj_(weight|bias)$/.exec(name)?.[0];
    if (node.opType !== 'Split' || own === undefined || notesOf(node).has(callKey)) continue;
    const user = nodes.find(({ inputs: taken }) => taken.some((one) => node.outputs.includes(one)));
    const scopes = user === undefined ? [] : listOf(notesOf(user).get(scopesKey)).reverse();
    const [, scope] = scopes;
    if (scope === undefined) continue;
    const tokens = [`p_${mangled(scope === '' ? own : `${scope}.${own}`)}`];
    calls.push({
      ...{
        target: 'split',
        tokens,
        scopes,
        nodes: [node],
        slots: [{ node, i: 0, name }],
        rules: '',
      },
    });
  }
  const known = new Set(calls.flatMap(({ tokens }) => tokens));
  const tokenOf = (name: string) =>
    values.get(name)?.get(tokenKey) ??
    ['p_', 'b_', 'c_'].map((prefix) => prefix + mangled(name)).find((token) => known.has(token));
  const foldedFrom = (name: string) =>
    listOf(values.get(name)?.get('pkg.onnxscript.optimizer.folded_from'));
  /** Of what is not constant, no more than the shape or the type went into constants. */
  const computedLater = new Set([
    ...nodes.flatMap(({ outputs }) => outputs),
    ...inputs.map(({ name }) => name),
  ]);
  const originsOf = (name: string) =>
    foldedFrom(name).filter(
      (origin) => !made.test(origin) && !numbered.test(origin) && !computedLater.has(origin),
    );
  const tokensOf = (name: string): readonly string[] => {
    const token = tokenOf(name);
    if (token !== undefined) return [token];
    return originsOf(name).map((origin) => tokenOf(origin) ?? `p_${mangled(origin)}`);
  };
  const isParameter = (name: string) =>
    tokenOf(name)?.startsWith('p_') ?? (name.includes('.') && !tables.test(name));
  const kindOf = (name: string) => {
    const kind = values.get(name)?.get(kindKey);
    if (kind !== undefined) return kind === 'PARAMETER' ? 'parameter' : 'constant';
    if (made.test(name)) return 'constant';
    if (foldedFrom(name).length === 0) return undefined;
    const isConstant = originsOf(name).every(
      (origin) =>
        !isParameter(origin) &&
        (tokenOf(origin) !== undefined || tables.test(origin) || results.test(origin)),
    );
    if (isConstant) return 'constant';
    return hasAxes(name) || !originsOf(name).some(isParameter) ? undefined : 'parameter';
  };
  const recurrent = new Set(
    nodes.flatMap(({ opType, inputs: given }) => (recurrences.has(opType) ? given : [])),
  );
  const computed = [...initializers].flatMap(([name, { type }]) => {
    const kind = kindOf(name);
    // A single number trains only where it is known to come from a parameter.
    const isWeight = isFloatType(type) && kind === (hasAxes(name) ? undefined : 'parameter');
    const origins = isWeight && !recurrent.has(name) ? originsOf(name) : [];
    const origin = origins.find(isParameter) ?? origins.find((each) => !results.test(each));
    return origin === undefined ? [] : [[name, origin] as const];
  });
  return { calls, tokenOf, tokensOf, kindOf, originsOf, computed };
}
