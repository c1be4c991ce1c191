import type { GraphBuilder } from '../graph/builder.js';
import { identityNode } from '../graph/identity.js';
import { elementTypes } from '../onnx/element-types.js';
import type { Node } from '../onnx/ir.js';

/** What stands for a value in float16. */
interface HalfForm {
  readonly type: 'float16' | 'float32';
  /** Nodes that make it of a float32. */
  narrow(from: string, to: string): readonly Node[];
  /** Nodes that make a float32 of it. */
  widen(from: string, to: string): readonly Node[];
  /** What a node puts out that works on such values, for `name` to stand in float16 as `half`. */
  putOut(name: string, half: string): { readonly output: string; readonly after: readonly Node[] };
}

const inFact: HalfForm = {
  type: 'float16',
  narrow: (from, to) => [cast(from, to, 'float16')],
  widen: (from, to) => [cast(from, to, 'float32')],
  putOut: (_, half) => ({ output: half, after: [] }),
};

/** Computes in float32, on numbers that float16 has too, and rounds what comes out. */
function imitated(builder: GraphBuilder): HalfForm {
  const narrow = (from: string, to: string) => {
    const { shape } = builder.value(to);
    const { name } = builder.declare({ name: `${to}/rounded`, type: 'float16', shape });
    return [cast(from, name, 'float16'), cast(name, to, 'float32')];
  };
  return {
    type: 'float32',
    narrow,
    widen: (from, to) => [identityNode(from, to, `${to}/widened`)],
    putOut(name, half) {
      const exact = builder.declare({ ...builder.value(name), name: `${name}/exact` });
      return { output: exact.name, after: narrow(exact.name, half) };
    },
  };
}

function cast(from: string, to: string, type: 'float16' | 'float32'): Node {
  return {
    name: `${to}/Cast`,
    opType: 'Cast',
    domain: '',
    inputs: [from],
    outputs: [to],
    attributes: { to: { type: 'int', value: elementTypes[type].code } },
  };
}

/** Values in float16 and in float32, each made of the other when it is first asked for. */
export interface Halves {
  /** Whether a value is there in float16. */
  has(name: string): boolean;
  /** The name under which a value is there in float16: its own where it is no float32. */
  inHalf(name: string): string;
  /** Lets a value be there in float32. */
  inFull(name: string): void;
  /** Emits a node that works in float16. */
  emit(node: Node): void;
}

/** @param imitates rounds to float16 and computes in float32
 *  @param result takes the nodes */
export function createHalves(builder: GraphBuilder, imitates: boolean, result: Node[]): Halves {
  const form = imitates ? imitated(builder) : inFact;
  /** Names under which a value is there in float16, and values that are there in float16 only. */
  const halves = new Map<string, string>();
  const onlyHalf = new Set<string>();

  function declareHalf(name: string): string {
    const half = `${name}/float16`;
    builder.declare({ name: half, type: form.type, shape: builder.value(name).shape });
    halves.set(name, half);
    return half;
  }

  function inHalf(name: string): string {
    const known = halves.get(name);
    if (known !== undefined || !isFloat32(builder, name)) return known ?? name;
    const half = declareHalf(name);
    result.push(...form.narrow(name, half));
    return half;
  }

  return {
    has: (name) => halves.has(name),
    inHalf,
    inFull(name) {
      const half = halves.get(name);
      if (half !== undefined && onlyHalf.delete(name)) result.push(...form.widen(half, name));
    },
    emit(node) {
      const inputs = node.inputs.map((name) => (name === '' ? '' : inHalf(name)));
      const made = node.outputs.map((name) => {
        if (name === '' || !isFloat32(builder, name)) return { output: name, after: [] };
        onlyHalf.add(name);
        return form.putOut(name, declareHalf(name));
      });
      result.push({ ...node, inputs, outputs: made.map(({ output }) => output) });
      result.push(...made.flatMap(({ after }) => after));
    },
  };
}

export function isFloat32(builder: GraphBuilder, name: string): boolean {
  return builder.values.get(name)?.type === 'float32';
}
