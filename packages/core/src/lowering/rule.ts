import type { GraphBuilder, Op } from '../graph/builder.js';
import type { PlainAttributes, Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';

/** Which kernels the graph is written for. */
export type Provider = 'cpu' | 'wasm' | 'webgpu' | 'cuda';

/** Inputs of a node; an optional one that is left out is undefined at run time (see `has`). */
export type Inputs = readonly [Value, Value, Value, Value, Value, Value, Value, Value, ...Value[]];

export interface LoweringContext {
  readonly x: Inputs;
  /** Types, shapes and names of the outputs that the node has now. */
  readonly y: Inputs;
  readonly attributes: PlainAttributes;
  readonly node: Node;
  readonly op: Op;
  /** For ops of other domains. */
  readonly emit: GraphBuilder['emit'];
  readonly provider: Provider;
  has(i: number): boolean;
  /** Whether anybody uses output i: a rule need not make what nobody wants. */
  needed(output: number): boolean;
  /** Whether anything behind this node uses a value too. */
  neededLater(value: Value): boolean;
  /** Whether a value leaves the step, as an output or state. */
  leaves(value: Value): boolean;
  /** The node that makes a value, with its inputs as values; undefined for graph inputs and constants. */
  producer(value: Value): Producer | undefined;
  /** The numbers of a value that is known before anything runs. */
  constant(value: Value): readonly number[] | undefined;
  /** Uniform numbers in [0, 1), float32, counted from seed, step and `key`: the same on every provider and
   *  in every way of running the steps. */
  random(shape: readonly number[], key: string): Value;
}

export interface Producer {
  readonly node: Node;
  readonly opType: string;
  readonly attributes: PlainAttributes;
  readonly x: Inputs;
  readonly y: Inputs;
}

/** New values for the outputs (undefined where nobody needs one), or undefined to keep the node as it is. */
export type LoweringRule = (
  context: LoweringContext,
) => Value | readonly (Value | undefined)[] | undefined;

export type LoweringRules = Readonly<Record<string, LoweringRule>>;

/** Types a table of lowering rules, one entry per op. */
export function lowerings<Table extends LoweringRules>(table: Table): Table {
  return table;
}

/** Rules that hold on webgpu alone. */
export function onWebgpu<Table extends LoweringRules>(
  table: Table,
): Readonly<Record<keyof Table, LoweringRule>> {
  const guarded = Object.entries(table).map(([opType, rule]): [string, LoweringRule] => [
    opType,
    (context) => (context.provider === 'webgpu' ? rule(context) : undefined),
  ]);
  return Object.fromEntries(guarded) as Readonly<Record<keyof Table, LoweringRule>>;
}

/** Whether a provider computes where the data is: its kernels are the CPU's. */
export function isHost(provider: Provider): boolean {
  return provider === 'cpu' || provider === 'wasm';
}
