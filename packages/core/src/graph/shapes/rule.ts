import type { PlainAttributes, TensorType, Value } from '../value.js';

/** What a shape rule sees of one node. */
export interface ShapeContext {
  readonly x: readonly (TensorType | undefined)[];
  readonly attributes: PlainAttributes;
  /** The numbers of input i where they are known before anything runs. */
  constant(i: number): readonly number[] | undefined;
  /** Input j of the node that made input i. */
  producerInput(i: number, j: number): Value | undefined;
  /** How many outputs the node at hand names. */
  readonly outputCount: number;
}

export type Types = TensorType | readonly TensorType[];
export type ShapeRule = (context: ShapeContext) => Types;

/** A reason why the type of an output cannot be told; the caller adds the node. */
export class ShapeProblem extends Error {}

/** What to do about one. */
export const fittingInputs = 'Give it inputs that fit; where a model has it, export that again.';

export function problem(reason: string): never {
  throw new ShapeProblem(reason);
}

export function input({ x }: ShapeContext, i: number): TensorType {
  return x[i] ?? problem(`input ${i} is missing or has no known type`);
}

export function constant(context: ShapeContext, i: number): readonly number[] {
  return context.constant(i) ?? problem(`input ${i} must be a constant to know the shape`);
}

/** Keeps the type of input i. */
export function like(i: number): (context: ShapeContext) => TensorType {
  return (context) => {
    const { type, shape } = input(context, i);
    return { type, shape };
  };
}

/** NumPy's broadcasting of any number of shapes. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): readonly number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let dim = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length] ?? 1;
      if (own === 1 || own === dim) continue;
      if (dim !== 1)
        problem(`shapes ${shapes.map((s) => `[${s}]`).join(' and ')} do not broadcast`);
      dim = own;
    }
    return dim;
  });
}
