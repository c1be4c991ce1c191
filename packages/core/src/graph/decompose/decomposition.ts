import type { Node } from '../../onnx/ir.js';
import type { GraphBuilder, Op } from '../builder.js';
import type { PlainAttributes, Value } from '../value.js';

/** Inputs of a node, so that decompositions can destructure them. An optional one that the node leaves out is undefined
 *  at run time: a decomposition that meets optional inputs asks `has(i)` first. */
export type Values = readonly [Value, Value, Value, Value, Value, Value, Value, Value, ...Value[]];

/** What a decomposition sees of the node that it takes apart. */
export interface DecompositionContext {
  readonly x: Values;
  readonly attributes: PlainAttributes;
  readonly node: Node;
  readonly op: Op;
  readonly emit: GraphBuilder['emit'];
  readonly builder: GraphBuilder;
  /** A recurrence of more steps becomes a Scan. */
  readonly longestUnrolled: number;
  has(i: number): boolean;
  /** Whether the node names output i. */
  wants(i: number): boolean;
  /** The numbers of input i where they are constant. */
  constant(i: number): readonly number[] | undefined;
}

/** What forms ask that lowering uses, too, where nobody wants a gradient but a provider has no kernel. */
export type FormContext = Pick<
  DecompositionContext,
  'op' | 'x' | 'attributes' | 'node' | 'constant'
>;

/** The outputs of a node, made of ops that have gradient rules or decompositions of their own. */
export type Decomposition = (context: DecompositionContext) => readonly (Value | undefined)[];

export type Decompositions = Readonly<Record<string, Decomposition>>;

/** Types a table of decompositions, one entry per ONNX op. */
export function decompositions<Table extends Decompositions>(table: Table): Table {
  return table;
}
