import { numbersOf } from '../constants.js';
import { reducedAxes } from '../shapes/training.js';
import { elementCount, int, normalizeAxis } from '../value.js';
import { layoutFolds } from './layout.js';
import type { FoldRule } from './rule.js';

/** What follows from shapes alone, and the ops of ORT's training dialect that compute with them. */
export const shapeFolds: Readonly<Record<string, FoldRule>> = {
  Shape: ({ node, typeOf }) => {
    const shape = typeOf(0)?.shape;
    if (shape === undefined) return undefined;
    const end = int(node.attributes, 'end', shape.length);
    return shape.slice(int(node.attributes, 'start', 0), end);
  },
  Size: ({ typeOf }) => {
    const type = typeOf(0);
    return type && [elementCount(type.shape)];
  },
  ConstantOfShape: ({ node, shape, x }) => {
    if (x(0) === undefined) return undefined;
    const given = node.attributes.value;
    const value = given?.type === 'tensor' ? numbersOf(given.value)?.[0] : 0;
    return value === undefined ? undefined : Array(elementCount(shape)).fill(value);
  },
  BroadcastGradientArgs: ({ at, x }) => {
    const [a, b] = [x(0)?.values, x(1)?.values];
    if (a === undefined || b === undefined) return undefined;
    return at === 0 ? reducedAxes(a, b) : reducedAxes(b, a);
  },
  ConcatTraining: (context) => {
    // ORT's tools make one of every Concat, those that put shapes together too.
    if (context.at === 0) return layoutFolds.Concat?.(context);
    const lengths = context.node.inputs.map((_, i) => {
      const shape = context.typeOf(i)?.shape;
      const axis = int(context.node.attributes, 'axis', 0);
      return shape?.[normalizeAxis(axis, shape.length)];
    });
    const known = lengths.filter((length) => length !== undefined);
    return known.length === lengths.length ? known : undefined;
  },
  SplitTraining: (context) => layoutFolds.Split?.(context),
  FlattenAndUnpad: ({ at, typeOf }) => (at === 1 ? typeOf(0)?.shape.slice(0, 2) : undefined),
};
