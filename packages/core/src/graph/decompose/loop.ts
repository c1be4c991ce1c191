import { GradwareError } from '../../errors.js';
import type { Graph } from '../../onnx/ir.js';
import type { GraphBuilder } from '../builder.js';
import { constantAttribute } from '../fold.js';
import { sameShape, type Value } from '../value.js';
import type { DecompositionContext } from './decomposition.js';
import { stacked } from './stack.js';

/** What one turn of a Loop is made with. */
export interface TurnMaker {
  /** Emits the body.
   *  @param bound what stands for its inputs, and for what it captures where not that itself */
  emit(body: Graph, bound: ReadonlyMap<string, Value>): readonly Value[];
  /** What a body takes from outside, itself while a condition holds and zeros afterwards. */
  gated(body: Graph, condition: Value): ReadonlyMap<string, Value>;
  gate(value: Value, condition: Value): Value;
  refuseSteps(turns: number): void;
}

/** Whether the body of a Loop never asks to stop. */
export function neverStops(builder: GraphBuilder, body: Graph): boolean {
  const [condition] = body.outputs;
  const given = body.inputs[1]?.name;
  let name = condition?.name ?? '';
  for (;;) {
    if (name === given) return true;
    const node = body.nodes.find(({ outputs }) => outputs.includes(name));
    const constant = node
      ? node.opType === 'Constant' && constantAttribute(node)
      : (body.initializers.get(name) ?? builder.constant(name));
    if (constant) return Number(constant.data[0]) !== 0;
    if (node?.opType !== 'Identity' && node?.opType !== 'Cast') return false;
    name = node.inputs[0] ?? '';
  }
}

function refuse({ node }: DecompositionContext, problem: string, remedy: string): never {
  throw new GradwareError('NO_GRADIENT', problem, { where: `node ${node.name}`, remedy });
}

/** Of a Loop that ends by what it computes, without a bound that is stated. */
const mostTurns = 256;

function refuseEndless(context: DecompositionContext): never {
  return refuse(
    context,
    'A Loop has a gradient only if its trip count is known',
    'Give the loop a largest number of turns that is a constant or follows from shapes (for i in range(n), with a break).',
  );
}

/** Unrolled: as many turns as there may be. Where the body can end it early, later turns change nothing. */
export function unrolledLoop(
  context: DecompositionContext,
  body: Graph,
  maker: TurnMaker,
): readonly (Value | undefined)[] {
  const { builder, x, node, op, has, constant } = context;
  const limit = has(0) ? constant(0)?.[0] : Number.POSITIVE_INFINITY;
  if (limit === undefined) return refuseEndless(context);
  const carried = node.inputs.length - 2;
  const endless = neverStops(builder, body);
  const starts = !has(1) || constant(1)?.[0] === 1;
  const stops = !endless || !starts;
  const bounded = limit <= Number.MAX_SAFE_INTEGER;
  if (!bounded && !stops) return refuseEndless(context);
  if (bounded && !stops) maker.refuseSteps(limit);
  const putsOut = node.outputs.slice(carried).some((name) => name !== '');
  let states: readonly Value[] = x.slice(2, node.inputs.length);
  let going = has(1) && stops ? op.reshape(x[1], []) : op.scalar(1, 'bool');
  const rows = node.outputs.slice(carried).map((): Value[] => []);
  let own = starts ? states : states.map((state) => maker.gate(state, going));
  for (let t = 0; t < limit; t++) {
    const goes = stops ? builder.constant(going)?.data[0] : 1;
    if (goes === 0) break;
    const sure = goes !== undefined;
    if (sure) maker.refuseSteps(t + 1);
    else if (bounded) maker.refuseSteps(limit);
    else if (t >= mostTurns) return refuseEndless(context);
    if (!sure && putsOut)
      return refuse(
        context,
        'A Loop that data may end early has no gradient for what it puts out turn by turn',
        'Let the loop run to its end, or use only its last state.',
      );
    const given = [op.scalar(t, 'int64'), going, ...own];
    const formals = body.inputs.map(({ name }, i) => [name, given[i] as Value] as const);
    const outer = sure ? [] : maker.gated(body, going);
    const [condition, ...made] = maker.emit(body, new Map([...outer, ...formals]));
    const next = made.slice(0, carried);
    rows.forEach((row, i) => {
      row.push(made[carried + i] as Value);
    });
    if (stops) {
      const more = op.reshape(condition as Value, []);
      if (!sure) refuseChange(context, states, next);
      states = sure ? next : op.select(going, next, states);
      going = sure ? more : op.And(going, more);
      if (builder.constant(going) !== undefined) {
        own = states;
        continue;
      }
      // Where a turn counts, all before it did: counters stay constants.
      own = states.map((state, i) => {
        const raw = next[i] as Value;
        return builder.constant(raw) === undefined ? maker.gate(state, going) : raw;
      });
    } else own = states = next;
  }
  return [...states, ...rows.map((row) => (row.length === 0 ? undefined : stacked(op, row)))];
}

function refuseChange(
  context: DecompositionContext,
  before: readonly Value[],
  after: readonly Value[],
): void {
  const same = (value: Value, i: number) =>
    context.builder.sequence(value) === undefined &&
    value.type === before[i]?.type &&
    sameShape(value.shape, before[i].shape);
  if (!after.every(same))
    refuse(
      context,
      'A Loop that may end early has a gradient only if its state keeps its shape',
      'Let the loop run to its end, or keep what it carries in tensors of fixed shape.',
    );
}
