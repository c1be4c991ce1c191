import type { GraphBuilder, Op } from '../../graph/builder.js';
import type { PlainAttributes, Value } from '../../graph/value.js';
import type { Node } from '../../onnx/ir.js';
import type { Values } from '../rule.js';

/** What a decomposition sees of the node that it takes apart. */
export interface DecompositionContext {
  readonly x: Values;
  readonly attributes: PlainAttributes;
  readonly node: Node;
  readonly op: Op;
  readonly emit: GraphBuilder['emit'];
  readonly builder: GraphBuilder;
  has(i: number): boolean;
  /** Whether the node names output i. */
  wants(i: number): boolean;
  /** The numbers of input i where they are constant. */
  constant(i: number): readonly number[] | undefined;
}

/** The outputs of a node, made of ops that have gradient rules or decompositions of their own. */
export type Decomposition = (context: DecompositionContext) => readonly (Value | undefined)[];

export type Decompositions = Readonly<Record<string, Decomposition>>;

/** Types a table of decompositions, one entry per ONNX op. */
export function decompositions<Table extends Decompositions>(table: Table): Table {
  return table;
}
