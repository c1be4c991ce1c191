import { filled } from '../../graph/constants.js';
import { int } from '../../graph/value.js';
import type { Graph, Model, Node, TensorData } from '../../onnx/ir.js';
import { readNotes } from '../../onnx/metadata.js';
import { freshName, usedNames } from '../../onnx/names.js';
import { listed, tieWarnings } from './export-traces.js';
import { type Call, mangled, type Slot, type TorchNotes, torchNotes } from './torch-notes.js';
import type { Kinds } from './trainable.js';

/** A model as it was before PyTorch's exporter optimized it. */
export interface TorchExport {
  readonly model: Model;
  readonly kinds: Kinds;
  /** What was lost, and how to keep it. */
  readonly traces: readonly string[];
}

/** A parameter as PyTorch has it, from what one of its calls takes. */
interface Original {
  readonly tensor: TensorData;
  /** The node that makes of it what the call takes, if it does not take it as it is. */
  readonly form?: Pick<Node, 'opType' | 'attributes'> & { readonly shape?: readonly number[] };
}

/** A parameter in a place that a call takes it. */
interface Pair {
  readonly token: string;
  readonly slot: Slot;
  readonly original: Original;
}

const isSame = (a: TensorData, b: TensorData): boolean =>
  a === b ||
  (a.type === b.type &&
    `${a.dims}` === `${b.dims}` &&
    (a.data as Float32Array).every((value, i) => value === b.data[i]));

function transposed({ type, dims: [rows = 0, columns = 0], data }: TensorData): TensorData {
  const from = data as Float32Array;
  const to = from.slice();
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) to[j * rows + i] = from[i * columns + j] as number;
  return { type, dims: [columns, rows], data: to };
}

/** The exporter transposes the weights of products, and gives axes to those of GroupNorm and PReLU, before it writes them. */
function originalOf({ target }: Call, { node, i }: Slot, tensor: TensorData): Original {
  const { dims } = tensor;
  if (target === 'linear' && node.opType === 'MatMul' && i === 1 && dims.length === 2) {
    const attributes = { perm: { type: 'ints', value: [1, 0] } } as const;
    return { tensor: transposed(tensor), form: { opType: 'Transpose', attributes } };
  }
  if ((target === 'group_norm' || target === 'prelu') && dims.length > 1) {
    const flat = { ...tensor, dims: [tensor.data.length] };
    return { tensor: flat, form: { opType: 'Reshape', attributes: {}, shape: dims } };
  }
  return { tensor };
}

/** How many values the bias of a node has. */
const outputAxis: Readonly<Record<string, (node: Node, dims: readonly number[]) => number>> = {
  Conv: (_, [filters = 0]) => filters,
  ConvTranspose: ({ attributes }, dims) => (dims[1] ?? 0) * int(attributes, 'group', 1),
  Gemm: ({ attributes }, dims) => dims[int(attributes, 'transB', 0) === 1 ? 0 : 1] ?? 0,
};

const isFolded = ({ rules }: Call) => rules.includes('FuseBatchNorm');

/** Which places hold no parameters: norms without any have a scale and a bias that the exporter made, and so has the
 *  InstanceNormalization that it makes of GroupNorm. */
function ownSlots({ target, tokens, slots }: Call): readonly Slot[] {
  if (target === 'group_norm')
    return slots.filter(({ node }) => node.opType === 'InstanceNormalization');
  return target.includes('norm') ? slots.slice(0, Math.max(slots.length - tokens.length, 0)) : [];
}

/** Undoes what torch.onnx.export does to parameters unless optimize=False: those of equal numbers become one (all norms
 *  of a new model, and their statistics), biases of zeros go, weights are transposed under another name. What each node
 *  took is told by its notes. Batch norms that went into convolutions stay there. */
export function undoExport(model: Model, bytes: Uint8Array): TorchExport {
  const notes = torchNotes(model.graph, readNotes(bytes));
  if (notes === undefined)
    return { model, kinds: notedKinds(model), traces: tieWarnings(model.graph) };
  const { graph, taken, fixed } = withOriginals(model.graph, notes);
  const folded = notes.calls.filter(isFolded).length;
  const computed = notes.computed.filter(
    ([name]) => graph.initializers.has(name) && !taken.has(name),
  );
  const kinds = new Map(
    [...graph.initializers.keys()].flatMap((name) => {
      const restored = taken.has(name) ? 'parameter' : undefined;
      const kind = fixed.has(name) ? 'constant' : (notes.kindOf(name) ?? restored);
      return kind === undefined ? [] : [[name, kind === 'parameter' || constant] as const];
    }),
  );
  const remedy = 'Export it with torch.onnx.export(..., optimize=False)';
  return {
    model: { ...model, graph, metadata: withKinds(model, kinds) },
    kinds,
    traces: [
      ...(folded === 0
        ? []
        : [
            `Batch norms were folded into ${folded} of the convolutions when the model was exported. ${remedy} to train them apart.`,
          ]),
      ...(computed.length === 0
        ? []
        : [
            `${computed.length} parameters were used for computations when the model was exported, and their results train in their place: ${listed(computed.map(([name, origin]) => `${name} of ${origin}`))}. ${remedy}.`,
          ]),
      ...tieWarnings(graph),
    ],
  };
}

const constant = 'a buffer or a constant of the PyTorch model';

const kindsKey = 'gradware.kinds';

/** Models are written without the notes of the exporter: this one stays. */
function withKinds({ metadata }: Model, kinds: Kinds): ReadonlyMap<string, string> {
  const lines = Array.from(
    kinds,
    ([name, kind]) => `${kind === true ? 'parameter' : 'constant'} ${name}`,
  );
  return lines.length === 0 ? metadata : new Map([...metadata, [kindsKey, lines.join('\n')]]);
}

/** What a model that was written by us says of its initializers. */
function notedKinds({ metadata }: Model): Kinds {
  const lines = metadata.get(kindsKey)?.split('\n') ?? [];
  return new Map(
    lines.flatMap((line): readonly (readonly [string, true | string])[] => {
      const [kind, name] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
      if (kind === 'parameter') return [[name, true]];
      return kind === 'constant' ? [[name, constant]] : [];
    }),
  );
}

function withOriginals(graph: Graph, notes: TorchNotes) {
  const names = new Set([
    ...graph.initializers.keys(),
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const initializers = new Map(graph.initializers);
  const nameOfToken = new Map<string, string>();
  /** The endings of names, by what they are in tokens. */
  const endings = new Map<string, string>();
  const spelt = (name: string) => {
    for (let at = 0; at >= 0; at = name.indexOf('.', at + 1)) {
      const ending = name.slice(at === 0 ? 0 : at + 1);
      endings.set(mangled(ending), ending);
    }
  };
  for (const name of initializers.keys()) {
    const token = notes.tokenOf(name);
    if (token !== undefined) nameOfToken.set(token, name);
    // A bias that is left out has a weight that is not.
    for (const known of [name, ...notes.originsOf(name)])
      for (const each of [known.replace(/weight$/, 'bias'), known]) spelt(each);
  }
  const made: Node[] = [];
  const forms = new Map<string, string>();
  const inputs = new Map<Node, string[]>();
  const taken = new Set<string>();
  const fixed = new Set<string>();

  /** The name that a parameter has in PyTorch, of which only the token is left. */
  function nameOf(token: string, { scopes }: Call): string {
    const rest = token.slice(2);
    const scope = scopes.find((each) => each !== '' && rest.startsWith(`${mangled(each)}_`)) ?? '';
    const ending = scope === '' ? rest : rest.slice(scope.length + 1);
    const whole = endings.get(rest);
    const part = endings.get(ending) ?? ending;
    return scope === '' || whole?.startsWith(`${scope}.`) ? (whole ?? part) : `${scope}.${part}`;
  }

  function add(token: string, hint: string, tensor: TensorData): string {
    const known = nameOfToken.get(token);
    if (known !== undefined) return known;
    const name = freshName(names, hint);
    nameOfToken.set(token, name);
    initializers.set(name, tensor);
    if (!token.startsWith('p_')) fixed.add(name);
    return name;
  }

  function put({ node, i }: Slot, name: string): void {
    const own = inputs.get(node) ?? [...node.inputs];
    while (own.length < i) own.push('');
    own[i] = name;
    inputs.set(node, own);
  }

  /** What a call takes of a parameter, computed once for all. */
  function inForm(name: string, { form }: Original): string {
    if (form === undefined) return name;
    const key = `${name} ${form.opType} ${form.shape}`;
    const known = forms.get(key);
    if (known !== undefined) return known;
    const output = freshName(names, `${name}_${form.opType.toLowerCase()}`);
    const shape = form.shape && freshName(names, `${output}_shape`);
    if (shape !== undefined && form.shape !== undefined)
      initializers.set(shape, {
        type: 'int64',
        dims: [form.shape.length],
        data: BigInt64Array.from(form.shape, BigInt),
      });
    const { opType, attributes } = form;
    made.push({
      name: output,
      opType,
      domain: '',
      inputs: shape === undefined ? [name] : [name, shape],
      outputs: [output],
      attributes,
    });
    forms.set(key, output);
    return output;
  }

  /** Which parameter each place takes, as far as that can be told, and what the call takes beside them. What notes
   *  prove comes first; the rest was made one with others, and stands in order, or is told by its name. */
  function pairs(call: Call) {
    const own = ownSlots(call);
    const [first, ...others] = call.tokens;
    // The bias comes before the matrices.
    const left = call.target === 'addmm' && first ? [...others, first] : [...call.tokens];
    const users = new Map<string, Node>();
    const proven: Pair[] = [];
    const strangers: Omit<Pair, 'token'>[] = [];
    for (const slot of call.slots.filter((each) => !own.includes(each))) {
      const tokens = notes.tokensOf(slot.name);
      const [token = ''] = tokens;
      const original = originalOf(call, slot, graph.initializers.get(slot.name) as TensorData);
      // What was computed in another way may be anything.
      const isKnown = notes.tokenOf(slot.name) !== undefined || original.form !== undefined;
      const isSingle = isKnown && tokens.length === 1;
      if (isSingle && left.includes(token)) {
        users.set(token, slot.node);
        proven.push({ token, slot, original });
      } else if (isSingle && (users.get(token) ?? slot.node) === slot.node)
        strangers.push({ slot, original });
      for (const each of tokens) if (left.includes(each)) left.splice(left.indexOf(each), 1);
    }
    const isInOrder = strangers.length === left.length;
    const merged = strangers.flatMap(({ slot, original }, i): Pair[] => {
      const ending = `_${mangled(slot.name.slice(slot.name.lastIndexOf('.') + 1))}`;
      const alike = left.filter((token) => token.endsWith(ending));
      const token = isInOrder ? left[i] : alike.length === 1 ? alike[0] : undefined;
      return token === undefined ? [] : [{ token, slot, original }];
    });
    const taken = [...proven, ...merged].filter(({ token, original }) => {
      const known = initializers.get(nameOfToken.get(token) ?? '');
      return known === undefined || isSame(known, original.tensor);
    });
    return { taken, left: left.filter((each) => merged.every(({ token }) => token !== each)) };
  }

  /** A bias of zeros that was left out. */
  function restoreBias(call: Call, left: readonly string[]): void {
    const { nodes, rules } = call;
    const node = nodes.find(({ opType }) => outputAxis[opType] !== undefined);
    if (!/RemoveOptionalBias\w*(?!.*FuseBatchNorm)/.test(rules) || node === undefined) return;
    const [, weight = '', bias = ''] = inputs.get(node) ?? node.inputs;
    const tensor = initializers.get(weight);
    if (bias !== '' || tensor === undefined || (!isFolded(call) && left.length !== 1)) return;
    const size = outputAxis[node.opType]?.(node, tensor.dims) ?? 0;
    const zeros = filled(tensor.type, [size], 0);
    const folded = isFolded(call);
    const token = folded ? `p_${weight}_bias` : (left[0] ?? '');
    const known = initializers.get(nameOfToken.get(token) ?? '');
    if (known !== undefined && !isSame(known, zeros)) return;
    const name = add(token, folded ? `${weight}_bias` : nameOf(token, call), zeros);
    put({ node, i: 2, name }, name);
  }

  const leftovers = new Map<Call, readonly string[]>();
  for (const call of notes.calls) {
    if (isFolded(call)) continue;
    const { taken: found, left } = pairs(call);
    leftovers.set(call, left);
    for (const { token, slot, original } of found) {
      const name = add(token, nameOf(token, call), original.tensor);
      taken.add(name);
      if (name !== slot.name) put(slot, inForm(name, original));
    }
    for (const slot of ownSlots(call)) {
      const tensor = graph.initializers.get(slot.name);
      if (tensor !== undefined && notes.tokenOf(slot.name) !== undefined)
        put(slot, add(`c_${slot.name}`, `${slot.name}_constant`, tensor));
    }
  }
  for (const call of notes.calls) restoreBias(call, leftovers.get(call) ?? []);

  const nodes = graph.nodes.map((node) => {
    const own = inputs.get(node);
    return own === undefined ? node : { ...node, inputs: own };
  });
  const left = new Set([
    ...[...made, ...nodes].flatMap(usedNames),
    ...graph.outputs.map(({ name }) => name),
  ]);
  const gone = new Set(notes.calls.flatMap(({ slots }) => slots.map(({ name }) => name)));
  for (const name of left) gone.delete(name);
  for (const name of gone) initializers.delete(name);
  // Weights may be listed as inputs, too.
  const fed = graph.inputs.filter(({ name }) => !gone.has(name));
  const whole = { ...graph, inputs: fed, nodes: [...made, ...nodes], initializers };
  return { graph: whole, taken, fixed };
}
