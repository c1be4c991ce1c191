import type { Graph, Node, TensorData } from '../../../onnx/ir.js';
import { freshName, usedNames } from '../../../onnx/names.js';
import type { Slot, TorchNotes } from './notes.js';
import { isSame, type Original } from './originals.js';

/** A graph whose nodes are given other initializers, one for each token of PyTorch's calls. */
export interface Rewriter {
  /** Whether a token has no initializer yet, or just this one. */
  agrees(token: string, tensor: TensorData): boolean;
  /** The initializer of a token, which is made where there is none. */
  add(token: string, hint: string, tensor: TensorData): string;
  /** What a call takes of a parameter, computed once for all. */
  inForm(name: string, original: Original): string;
  put(slot: Pick<Slot, 'node' | 'i'>, name: string): void;
  /** What a node takes by now. */
  inputsOf(node: Node): readonly string[];
  tensorOf(name: string): TensorData | undefined;
  /** Initializers made of tokens that are no parameters. */
  readonly fixed: ReadonlySet<string>;
  /** The graph, without those of `replaced` that nothing takes any more. */
  graph(replaced: readonly string[]): Graph;
}

export function createRewriter(graph: Graph, notes: TorchNotes): Rewriter {
  const names = new Set([
    ...graph.initializers.keys(),
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const initializers = new Map(graph.initializers);
  const nameOfToken = new Map<string, string>();
  for (const name of initializers.keys()) {
    const token = notes.tokenOf(name);
    if (token !== undefined) nameOfToken.set(token, name);
  }
  const made: Node[] = [];
  const forms = new Map<string, string>();
  const inputs = new Map<Node, string[]>();
  const fixed = new Set<string>();

  return {
    fixed,
    agrees(token, tensor) {
      const known = initializers.get(nameOfToken.get(token) ?? '');
      return known === undefined || isSame(known, tensor);
    },
    add(token, hint, tensor) {
      const known = nameOfToken.get(token);
      if (known !== undefined) return known;
      const name = freshName(names, hint);
      nameOfToken.set(token, name);
      initializers.set(name, tensor);
      if (!token.startsWith('p_')) fixed.add(name);
      return name;
    },
    inForm(name, { form }) {
      if (form === undefined) return name;
      const { opType, attributes, shape } = form;
      const key = `${name} ${opType} ${shape}`;
      const known = forms.get(key);
      if (known !== undefined) return known;
      const output = freshName(names, `${name}_${opType.toLowerCase()}`);
      const given = [name];
      if (shape !== undefined) {
        const sizes = freshName(names, `${output}_shape`);
        const data = BigInt64Array.from(shape, BigInt);
        initializers.set(sizes, { type: 'int64', dims: [shape.length], data });
        given.push(sizes);
      }
      made.push({ name: output, opType, domain: '', inputs: given, outputs: [output], attributes });
      forms.set(key, output);
      return output;
    },
    put({ node, i }, name) {
      const own = inputs.get(node) ?? [...node.inputs];
      while (own.length < i) own.push('');
      own[i] = name;
      inputs.set(node, own);
    },
    inputsOf: (node) => inputs.get(node) ?? node.inputs,
    tensorOf: (name) => initializers.get(name),
    graph(replaced) {
      const nodes = graph.nodes.map((node) => {
        const own = inputs.get(node);
        return own === undefined ? node : { ...node, inputs: own };
      });
      const left = new Set([
        ...[...made, ...nodes].flatMap(usedNames),
        ...graph.outputs.map(({ name }) => name),
      ]);
      const gone = new Set(replaced.filter((name) => !left.has(name)));
      for (const name of gone) initializers.delete(name);
      // Weights may be listed as inputs, too.
      const fed = graph.inputs.filter(({ name }) => !gone.has(name));
      return { ...graph, inputs: fed, nodes: [...made, ...nodes], initializers };
    },
  };
}
