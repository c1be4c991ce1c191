import { GradwareError } from '../../errors.js';
import type { GraphBuilder } from '../../graph/builder.js';
import type { Value } from '../../graph/value.js';
import { tensorElement } from '../../onnx/element-types.js';
import type { DataType, Dim, ValueInfo } from '../../onnx/ir.js';

/** A dimension that is known only when the model runs. */
export interface OpenDimension {
  readonly name: string;
  /** Where it can be read: the first input, and axis, that has it. */
  readonly input: string;
  readonly axis: number;
}

/** A size for every open dimension. */
export type Sizes = ReadonlyMap<string, number>;

/** A graph that was laid out at one trial's sizes. */
export type Trial = Pick<GraphBuilder, 'nodes' | 'values' | 'initializers' | 'fresh'>;

export interface OpenInputs {
  readonly dimensions: readonly OpenDimension[];
  /** The inputs, every dimension a number or a name. */
  readonly inputs: readonly ValueInfo[];
}

/** Names the open dimensions of some inputs. One without a name gets one; first axes without names are one batch axis.
 *  @param fixed sizes for dimensions that shall not stay open, by name
 *  @throws GradwareError INVALID_MODEL for inputs of unknown rank or of no tensor type, INVALID_OPTION for a fixed
 *  dimension that no input has */
export function openDimensions(
  given: readonly ValueInfo[],
  fixed: Readonly<Record<string, number>>,
  file: string,
): OpenInputs {
  const found = new Map<string, OpenDimension>();
  const named = new Set<string>();
  const inputs = given.map((info): ValueInfo => {
    if (info.shape === undefined || tensorElement(info) === undefined)
      throw new GradwareError('INVALID_MODEL', `The rank or type of an input is not known`, {
        where: `${file}, input "${info.name}"`,
        remedy: 'Export the model with inputs of a known type and rank.',
      });
    const shape = info.shape.map((dim, axis): number | string => {
      if (typeof dim === 'number') return dim;
      const name = dim === null || dim === '' ? nameless(info.name, axis) : dim;
      named.add(name);
      const size = Object.hasOwn(fixed, name) ? fixed[name] : undefined;
      if (size !== undefined) return size;
      if (!found.has(name)) found.set(name, { name, input: info.name, axis });
      return name;
    });
    return { ...info, shape };
  });
  for (const [name, size] of Object.entries(fixed)) requireFixed(name, size, named);
  return { dimensions: [...found.values()], inputs };
}

function nameless(input: string, axis: number): string {
  return axis === 0 ? 'batch' : `${input}_dim_${axis}`;
}

/** The same where all first axes are one: exporters give the batch another name in each input (tf2onnx does). Undefined
 *  where they have one name already. */
export function withOneBatch({ dimensions, inputs }: OpenInputs): OpenInputs | undefined {
  const [batch, ...others] = dimensions.filter(({ axis }) => axis === 0);
  if (batch === undefined || others.length === 0) return undefined;
  const merged = new Set(others.map(({ name }) => name));
  const nameOf = <D>(dim: D) => (typeof dim === 'string' && merged.has(dim) ? batch.name : dim);
  return {
    dimensions: dimensions.filter(({ name }) => !merged.has(name)),
    inputs: inputs.map((info) => ({
      ...info,
      ...(info.shape && { shape: info.shape.map(nameOf) }),
    })),
  };
}

function requireFixed(name: string, size: number, named: ReadonlySet<string>): void {
  if (!named.has(name))
    throw new GradwareError('INVALID_OPTION', `No input has an open dimension "${name}"`, {
      remedy: named.size > 0 ? `There are ${[...named].join(', ')}.` : 'All of them are fixed.',
    });
  if (!Number.isInteger(size) || size < 1)
    throw new GradwareError('INVALID_OPTION', `The dimension "${name}" cannot be ${size}`, {
      remedy: 'Give a whole number from 1.',
    });
}

/** The inputs at some sizes. */
export function inputsAt(inputs: readonly ValueInfo[], sizes: Sizes): readonly Value[] {
  return inputs.map(({ name, type, shape = [] }) => ({
    name,
    type: type as DataType,
    shape: shape.map((dim) => (typeof dim === 'number' ? dim : (sizes.get(dim ?? '') ?? 1))),
  }));
}

/** Where sizes are tried. */
interface Scale {
  readonly first: readonly number[];
  readonly other: readonly number[];
  /** What all sizes have as a factor. */
  readonly step: number;
}

const firstSizes = [5, 7, 11, 13, 17, 19];

/** Sizes that hardly any model has, so that one can be told from the other: small ones first, since models limit the
 *  length of what they take; larger ones for what they shrink. First axes stay small. */
const scales: readonly Scale[] = [
  { first: firstSizes, other: [23, 29, 31, 37, 41, 43], step: 1 },
  { first: [11, 13, 17, 19, 29, 31], other: [67, 71, 73, 79, 83, 89], step: 1 },
  { first: firstSizes, other: [229, 233, 239, 241, 251, 257], step: 1 },
  { first: firstSizes, other: [6, 8, 9, 10, 12, 14], step: 1 },
];

/** For models that take no other sizes: what they halve and double again, or divide into windows. */
const alignedScales: readonly Scale[] = [
  { first: firstSizes, other: [24, 40, 56, 72, 88, 104], step: 8 },
  { first: firstSizes, other: [96, 160, 224, 288, 352, 416], step: 32 },
];

/** A way to try out the open dimensions. */
export interface Trials {
  /** A base, one more for each dimension with that one changed, and some with all of them changed, which the others
   *  must predict. */
  readonly sizes: readonly Sizes[];
  /** Sizes that must be predicted, too, where the model takes them. */
  readonly further: readonly Sizes[];
  /** Whether the sizes have a large factor in common: what is found may not hold for others. */
  readonly aligned: boolean;
}

/** Ways to try out the open dimensions, the likeliest first.
 *  @param rounds whether the model divides sizes and rounds, as strided windows do */
export function trials(dimensions: readonly OpenDimension[], rounds: boolean): readonly Trials[] {
  if (dimensions.length === 0) return [{ sizes: [new Map()], further: [], aligned: false }];
  const onlyFirst = dimensions.every(({ axis }) => axis === 0);
  if (onlyFirst) return scales.slice(0, 2).map((scale) => trialsAt(dimensions, scale, []));
  // Each turns one bit around: whether a size is odd after it was halved so many times.
  const steps = rounds ? [2, 4, 8, 16] : [];
  return [
    ...scales.map((scale) => trialsAt(dimensions, scale, steps)),
    ...alignedScales.map((scale) => trialsAt(dimensions, scale, steps.slice(0, 1))),
  ];
}

function trialsAt(
  dimensions: readonly OpenDimension[],
  { first, other, step }: Scale,
  steps: readonly number[],
): Trials {
  const size = ({ axis }: OpenDimension, i: number) => {
    const list = axis === 0 ? first : other;
    // Beyond the list: sizes that go on.
    return list[i] ?? (list.at(-1) ?? 0) + 2 * step * (i - list.length + 1);
  };
  const at = (choose: (each: OpenDimension, i: number) => number): Sizes =>
    new Map(dimensions.map((each, i) => [each.name, choose(each, i)]));
  const base = at((each, i) => size(each, 2 * i));
  const changed = at((each, i) => size(each, 2 * i + 1));
  const one = dimensions.map(({ name }) => new Map([...base, [name, changed.get(name) as number]]));
  const beyond = (count: number) =>
    at((each, i) => size(each, 2 * i) + (each.axis === 0 ? 1 : count * step));
  // With one dimension, the base changed once is all of them changed.
  const twice = at((each, i) => size(each, 2 * i) * 2 + 3 * step);
  return {
    sizes: [base, ...one, dimensions.length === 1 ? twice : changed, beyond(1)],
    further: steps.map(beyond),
    aligned: step > 1,
  };
}

/** The shape of a value that has these sizes in the trials: numbers, names of open dimensions, null for others. */
export function openShape(
  shapes: readonly (readonly number[])[],
  sizes: readonly Sizes[],
): readonly Dim[] {
  return (shapes[0] ?? []).map((dim, axis): Dim => {
    const seen = shapes.map((shape) => shape[axis]);
    if (seen.every((each) => each === dim)) return dim;
    const names = [...(sizes[0]?.keys() ?? [])];
    return names.find((name) => sizes.every((each, k) => each.get(name) === seen[k])) ?? null;
  });
}
