import { GradwareError } from '../errors.js';
import type { GraphBuilder, Op } from '../graph/builder.js';
import type { PlainAttributes, Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';

/** Inputs or outputs of a node, so that rules can destructure them. An optional one that the node leaves out is
 *  undefined at run time: a rule that meets optional inputs asks `has(i)` first. */
export type Values = readonly [Value, Value, Value, Value, Value, Value, Value, Value, ...Value[]];

export interface GradientContext {
  /** The gradient of output 0. A rule for a node with several outputs uses `dys`. */
  readonly dy: Value;
  /** The gradient of every output; undefined where none flows back. */
  readonly dys: readonly (Value | undefined)[];
  readonly x: Values;
  readonly y: Value;
  readonly ys: Values;
  readonly attributes: PlainAttributes;
  readonly node: Node;
  readonly op: Op;
  /** Emits a node whose attributes come from the forward node, or whose shape no rule can tell. */
  readonly emit: GraphBuilder['emit'];
  readonly builder: GraphBuilder;
  has(i: number): boolean;
  /** Whether a node of this type takes output 0. */
  isUsedBy(opType: string): boolean;
  /** Whether anybody wants the gradient of input i; what is not wanted need not be emitted. */
  needs(i: number): boolean;
  /** The numbers of input i where they are constant. */
  constant(i: number): readonly number[] | undefined;
}

/** The numbers of input i, for rules that cannot be written without them (axes, pads, repeats).
 *  @throws GradwareError NO_GRADIENT where they are only known at run time. */
export function known({ constant, node }: GradientContext, i: number): readonly number[] {
  const numbers = constant(i);
  if (numbers !== undefined) return numbers;
  throw new GradwareError(
    'NO_GRADIENT',
    `The gradient of ${node.opType} needs input ${i} to be a constant`,
    {
      where: `node ${node.name}, input ${node.inputs[i] || i}`,
      remedy: 'Export the model with constant axes, pads and repeats.',
    },
  );
}

/** The gradient of each input, in order; null or missing where none flows. */
export type GradientRule = (context: GradientContext) => readonly (Value | null | undefined)[];

export type GradientRules = Readonly<Record<string, GradientRule>>;

/** Types a table of gradient rules, one entry per ONNX op. */
export function rules<Table extends GradientRules>(table: Table): Table {
  return table;
}

/** What to do about a node without a gradient. */
export const noRuleRemedy =
  'Freeze the parameters below these nodes, or export the model with other ops.';
