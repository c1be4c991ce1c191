import { GradwareError } from '../errors.js';
import type { GraphBuilder } from '../graph/builder.js';
import { filled } from '../graph/constants.js';
import { decompose, decompositionOf } from '../graph/decompose/index.js';
import { sortNodes } from '../graph/order.js';
import { quantizerOf } from '../graph/quantization.js';
import { knownScan } from '../graph/scan.js';
import type { Value } from '../graph/value.js';
import type { Node } from '../onnx/ir.js';
import { usedNames } from '../onnx/names.js';
import { activeValues, propagate, type StraightThrough } from './propagate.js';
import { noRuleRemedy } from './rule.js';
import { gradientRuleOf, isDifferentiable } from './rules/index.js';
import { createScanGradients } from './scan.js';
import { stashOutputs } from './stash.js';
import { tidy } from './tidy.js';

export interface DifferentiateOptions {
  /** Ops whose gradient passes as if they were not there. */
  readonly straightThrough?: StraightThrough;
  /** The most steps of a recurrence that are written one by one; longer ones become a Scan, and a Scan from the last step
   *  to the first. Default: all are written one by one, as ORT's artifacts need them. */
  readonly longestUnrolled?: number | undefined;
  /** Whether parameters that the loss does not depend on have a gradient of zero: those of branches that are not taken.
   *  Default: they are refused. */
  readonly mayVanish?: boolean;
}

export interface Differentiated {
  /** The gradient of the loss itself: an initializer `<loss>_grad` of 1, as in ORT's artifacts. */
  readonly seed: Value;
  /** ∂loss/∂p for every name in `wrt`, with the type and shape of p. */
  readonly gradients: ReadonlyMap<string, Value>;
}

/** Where gradients would have to flow and cannot. */
export interface GradientGaps {
  /** Nodes on the way from the loss to a parameter whose op has no gradient rule. */
  readonly withoutRule: readonly Node[];
  /** Nodes on the way from the loss to a parameter. */
  readonly onPath: readonly Node[];
  /** Parameters that no path of differentiable edges joins to the loss. */
  readonly unreachable: readonly string[];
}

interface Paths {
  readonly sorted: readonly Node[];
  /** Values that depend on a parameter through differentiable edges. */
  readonly active: ReadonlySet<string>;
}

function findPaths(
  builder: GraphBuilder,
  wrt: readonly string[],
  straightThrough: StraightThrough,
): Paths {
  const sorted = sortNodes(builder.nodes);
  return { sorted, active: activeValues(builder, sorted, wrt, straightThrough) };
}

/** Lists what stands between the loss and the parameters, without changing the graph. */
export function findGradientGaps(
  builder: GraphBuilder,
  loss: string,
  wrt: readonly string[],
  straightThrough?: StraightThrough,
): GradientGaps {
  const { sorted, active } = findPaths(builder, wrt, straightThrough);
  const wanted = new Set([loss]);
  const onPath: Node[] = [];
  for (const node of [...sorted].reverse()) {
    if (!node.outputs.some((output) => wanted.has(output) && active.has(output))) continue;
    if (!isDifferentiable(node.opType, straightThrough)) continue;
    onPath.push(node);
    for (const name of usedNames(node)) if (active.has(name)) wanted.add(name);
  }
  const withoutRule = onPath.filter(
    (node) =>
      gradientRuleOf(node, straightThrough) === undefined && decompositionOf(node) === undefined,
  );
  const unreachable = wrt.filter((name) => !wanted.has(name));
  return { withoutRule, unreachable, onPath };
}

function refuseGaps({ withoutRule }: GradientGaps): void {
  if (withoutRule.length > 0) {
    const ops = [...new Set(withoutRule.map((node) => node.opType))];
    throw new GradwareError('NO_GRADIENT', `No gradient is known for ${ops.join(', ')}`, {
      where: withoutRule.map((node) => `${node.opType} node ${node.name}`).join('; '),
      remedy: noRuleRemedy,
    });
  }
}

function refuseUnreachable({ unreachable }: GradientGaps): void {
  if (unreachable.length > 0)
    throw new GradwareError(
      'UNREACHABLE_PARAMETER',
      `The loss does not depend on ${unreachable.join(', ')}`,
      {
        remedy: 'Freeze these parameters, or make them part of what the loss is computed from.',
      },
    );
}

/** The second half of a pair that rounds: its rule looks at the first half. */
function undoesQuantization(builder: GraphBuilder, { opType, inputs }: Node): boolean {
  return opType === 'DequantizeLinear' && quantizerOf(builder, inputs[0] ?? '') !== undefined;
}

/** Takes apart what has a decomposition in place of a rule, until nothing on the way from the loss is left to.
 *  Only the graph as it was given is asked whether it reaches every parameter: a recurrence of one step uses no
 *  recurrent weight, and its gradient is zero. */
function decomposeAll(
  builder: GraphBuilder,
  loss: string,
  wrt: readonly string[],
  { straightThrough, longestUnrolled, mayVanish = false }: DifferentiateOptions,
): GradientGaps {
  const given = findGradientGaps(builder, loss, wrt, straightThrough);
  refuseGaps(given);
  if (!mayVanish) refuseUnreachable(given);
  for (;;) {
    const gaps = findGradientGaps(builder, loss, wrt, straightThrough);
    refuseGaps(gaps);
    const whole = gaps.onPath.filter(
      (node) =>
        decompositionOf(node) !== undefined &&
        knownScan(builder, node) === undefined &&
        !undoesQuantization(builder, node),
    );
    if (whole.length === 0) return gaps;
    decompose(builder, new Set(whole), longestUnrolled);
  }
}

/** Writes the backward pass of `loss` (a scalar) into the builder, in ORT's training dialect. */
export function differentiate(
  builder: GraphBuilder,
  loss: Value,
  wrt: readonly string[],
  options: DifferentiateOptions = {},
): Differentiated {
  const { straightThrough } = options;
  const gaps = decomposeAll(builder, loss.name, wrt, options);
  const vanished = new Set(gaps.unreachable);
  stashOutputs(builder, new Set(gaps.onPath));
  const { sorted, active } = findPaths(builder, wrt, straightThrough);
  const { op } = builder;
  const seed = builder.initializer(`${loss.name}_grad`, filled(loss.type, loss.shape, 1));
  const mark = builder.nodes.length;
  const scans = createScanGradients(builder, straightThrough);
  const { gradientOf, contributions, parts } = propagate({
    builder,
    sorted,
    active,
    straightThrough,
    contributions: new Map([[loss.name, [seed]]]),
    scan: scans.gradient,
  });

  const gradients = new Map<string, Value>();
  for (const name of wrt) {
    const gradient = vanished.has(name) ? op.zeros(builder.value(name)) : gradientOf(name);
    if (gradient === undefined)
      throw new GradwareError('UNREACHABLE_PARAMETER', `No gradient reaches ${name}`, {
        remedy: 'Freeze this parameter.',
      });
    gradients.set(name, gradient);
  }
  const totals = [...contributions].flatMap(([name, [total]]) =>
    total === undefined ? [] : ([[name, total]] as const),
  );
  const named = tidy(builder, mark, new Map(totals), parts, gradients);
  scans.extend();
  return { seed, gradients: named };
}
