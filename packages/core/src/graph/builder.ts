import { GradwareError } from '../errors.js';
import type { Node, TensorData } from '../onnx/ir.js';
import { plainNumbers, tensorOf } from './constants.js';
import { domainOf } from './dialect.js';
import { foldNode, foldRuleOf } from './fold.js';
import { helpers } from './helpers.js';
import type { EmitOptions, GraphBuilder, Op } from './op.js';
import { shapeRuleOf } from './shapes/index.js';
import { fittingInputs, ShapeProblem, type Types } from './shapes/rule.js';
import {
  type Attributes,
  type Operand,
  type PlainAttributes,
  sameShape,
  type TensorType,
  toAttributes,
  type Value,
} from './value.js';

export type { GraphBuilder, Op };

function isValue(argument: Operand | Attributes): argument is Value {
  return (
    typeof argument === 'object' && argument !== null && 'shape' in argument && 'name' in argument
  );
}

/** Splits `op.X(a, 2, b, {axis: 0})` into inputs and attributes. */
function splitArguments(
  given: readonly (Operand | Attributes)[],
): [readonly Operand[], PlainAttributes] {
  const last = given.at(-1);
  const hasAttributes = typeof last === 'object' && last !== null && !isValue(last);
  const inputs = (hasAttributes ? given.slice(0, -1) : given) as readonly Operand[];
  if (!hasAttributes) return [inputs, {}];
  return [inputs, toAttributes(last as Attributes)];
}

export function createBuilder(): GraphBuilder {
  const nodes: Node[] = [];
  const values = new Map<string, Value>();
  const initializers = new Map<string, TensorData>();
  const producers = new Map<string, Node>();
  const folded = new Map<string, TensorData | null>();
  const literals = new Map<string, Value>();
  const lists = new Map<string, readonly Value[]>();
  const taken = new Set<string>();
  const counters = new Map<string, number>();
  const scopes: string[] = [];

  function fresh(hint: string): string {
    const base = scopes.length > 0 ? `${scopes.join('/')}/${hint}` : hint;
    for (;;) {
      const count = counters.get(base) ?? 0;
      counters.set(base, count + 1);
      const name = count === 0 ? base : `${base}_${count}`;
      if (!taken.has(name)) {
        taken.add(name);
        return name;
      }
    }
  }

  function declare(value: Value): Value {
    taken.add(value.name);
    values.set(value.name, value);
    return value;
  }

  function initializer(name: string, tensor: TensorData): Value {
    initializers.set(name, tensor);
    return declare({ name, type: tensor.type, shape: tensor.dims });
  }

  function literal(number: number, type: Value['type']): Value {
    const key = `${type}:${Object.is(number, -0) ? '-0' : number}`;
    const known = literals.get(key);
    if (known !== undefined) return known;
    let name = `${type}:${number}`;
    while (taken.has(name)) name += "'";
    const value = initializer(name, tensorOf(type, [number], []));
    literals.set(key, value);
    return value;
  }

  const known = (name: string) => initializers.get(name) ?? folded.get(name) ?? undefined;
  const isOpen = (name: string) =>
    producers.has(name) && !initializers.has(name) && !folded.has(name);

  function constant(value: Value | string): TensorData | undefined {
    const name = typeof value === 'string' ? value : value.name;
    const own = initializers.get(name);
    if (own !== undefined) return own;
    // An explicit stack: graphs are deeper than JavaScript's own.
    const stack = [name];
    const seen = new Set<string>();
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const node = folded.has(top) ? undefined : producers.get(top);
      const below = node && foldRuleOf(node) && !seen.has(top) ? node.inputs.filter(isOpen) : [];
      seen.add(top);
      if (below.length > 0) {
        stack.push(...below);
        continue;
      }
      stack.pop();
      if (folded.has(top)) continue;
      folded.set(top, (node && foldNode(node, top, (n) => values.get(n), known)) ?? null);
    }
    return folded.get(name) ?? undefined;
  }

  function register(node: Node): void {
    nodes.push(node);
    taken.add(node.name);
    for (const output of node.outputs) if (output !== '') producers.set(output, node);
  }

  function typesOf(node: Node): Types {
    const rule = shapeRuleOf(node.opType);
    if (rule === undefined)
      throw new GradwareError('UNSUPPORTED', `The shape of ${node.opType} is not known`, {
        where: `node ${node.name}`,
        remedy: 'Write it with other ops, or name the types of its outputs (emit, with types).',
      });
    try {
      return rule({
        x: node.inputs.map((name) => (name === '' ? undefined : values.get(name))),
        attributes: node.attributes,
        outputCount: node.outputs.length,
        constant: (i) => {
          const tensor = node.inputs[i] ? constant(node.inputs[i]) : undefined;
          return tensor && plainNumbers(tensor.data);
        },
        producerInput: (i, j) => values.get(producers.get(node.inputs[i] ?? '')?.inputs[j] ?? ''),
      });
    } catch (error) {
      if (!(error instanceof ShapeProblem)) throw error;
      throw new GradwareError('INVALID_MODEL', `${node.opType}: ${error.message}`, {
        where: `node ${node.name}`,
        remedy: fittingInputs,
      });
    }
  }

  function emitted(
    opType: string,
    operands: readonly Operand[],
    attributes: PlainAttributes = {},
    options: EmitOptions = {},
  ): Emitted {
    // The condition of a Where says nothing about the type of what it chooses from.
    const typed = opType === 'Where' ? operands.slice(1) : operands;
    const first = typed.find(isValue);
    const inputs = operands.map((operand): Value | undefined => {
      if (operand === null || operand === undefined) return undefined;
      if (typeof operand === 'boolean') return literal(operand ? 1 : 0, 'bool');
      if (typeof operand === 'number') return literal(operand, first?.type ?? 'float32');
      return operand;
    });
    while (inputs.length > 0 && inputs.at(-1) === undefined) inputs.pop();
    const name = options.name ?? fresh(opType);
    const draft: Node = {
      name,
      opType,
      domain: options.domain ?? domainOf(opType),
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: options.outputs ?? [],
      attributes,
    };
    const found = options.types ?? typesOf(draft);
    const single = 'type' in found;
    const types: readonly TensorType[] = single ? [found] : found;
    const outputs = types.map(
      (_, i) => options.outputs?.[i] ?? (types.length === 1 ? name : `${name}:${i}`),
    );
    register({ ...draft, outputs });
    const tagged = inputs.find((input) => input?.parameter !== undefined);
    const declared = types.map((type, i) => {
      const keeps = tagged !== undefined && sameShape(type.shape, tagged.shape);
      const output = outputs[i] ?? '';
      const value: Value = keeps
        ? { ...type, name: output, parameter: tagged.parameter }
        : { name: output, type: type.type, shape: type.shape };
      return output === '' ? value : declare(value);
    });
    return { outputs: declared, single };
  }

  function scoped<Result>(scope: string, run: () => Result): Result {
    scopes.push(scope);
    try {
      return run();
    } finally {
      scopes.pop();
    }
  }

  const builder: Omit<GraphBuilder, 'op'> = {
    nodes,
    values,
    initializers,
    emit: (...given) => emitted(...given).outputs,
    add(node, types) {
      register(node);
      types.forEach(declare);
    },
    declare,
    initializer,
    value(name) {
      const value = values.get(name);
      if (value === undefined)
        throw new GradwareError('INVALID_MODEL', `Nothing is known of the value ${name}`);
      return value;
    },
    listed(items, name = fresh('sequence')) {
      lists.set(name, items);
      return declare({ name, type: items[0]?.type ?? 'float32', shape: [items.length] });
    },
    sequence: (value) => lists.get(typeof value === 'string' ? value : value.name),
    producer: (value) => producers.get(typeof value === 'string' ? value : value.name),
    constant,
    learn: (name, numbers) => folded.set(name, numbers),
    fresh,
    redirect({ name: from }, { name: to }) {
      nodes.forEach((node, i) => {
        if (!node.inputs.includes(from)) return;
        const inputs = node.inputs.map((name) => (name === from ? to : name));
        nodes[i] = { ...node, inputs };
        for (const output of node.outputs) if (output !== '') producers.set(output, nodes[i]);
      });
    },
    scoped,
    takeSince: (mark) => nodes.splice(mark),
  };
  const withoutOp = builder as GraphBuilder;
  const op = createOp(withoutOp, literal, emitted);
  return Object.assign(builder, { op });
}

type Emitted = { readonly outputs: readonly Value[]; readonly single: boolean };

function createOp(
  builder: GraphBuilder,
  literal: (number: number, type: Value['type']) => Value,
  emitted: (opType: string, inputs: readonly Operand[], attributes: PlainAttributes) => Emitted,
): Op {
  const emitters = new Map<string, unknown>();
  const extras: Record<string, unknown> = {};
  const op = new Proxy(extras, {
    get(_, name) {
      if (typeof name !== 'string') return undefined;
      if (Object.hasOwn(extras, name)) return extras[name];
      if (shapeRuleOf(name) === undefined) return undefined;
      const known = emitters.get(name);
      if (known !== undefined) return known;
      const emitter = (...given: (Operand | Attributes)[]) => {
        const [inputs, attributes] = splitArguments(given);
        const { outputs, single } = emitted(name, inputs, attributes);
        return single ? outputs[0] : outputs;
      };
      emitters.set(name, emitter);
      return emitter;
    },
  }) as unknown as Op;
  Object.assign(extras, helpers(op, builder, literal));
  return op;
}
