import { filled, numbersOf, tensorOf } from '../../graph/constants.js';
import { type Attributes, elementCount, toAttributes } from '../../graph/value.js';
import { elementTypes } from '../../onnx/element-types.js';
import type { DataType, Node, TensorData } from '../../onnx/ir.js';
import type { OpenDimension, Sizes, Trial } from './dimensions.js';
import { type Formula, findFormula } from './formula.js';

/** Where a constant is used. */
export interface Use {
  readonly node: Node;
  /** The place of the node in the graph: values made before it may be asked for their shape. */
  readonly index: number;
  readonly input: number;
}

export interface ShapeWriter {
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, TensorData>;
  /** The name of a value that is each of these tensors at its sizes; undefined where none can be written. */
  write(tensors: readonly TensorData[], use: Use): string | undefined;
}

interface Place {
  readonly name: string;
  /** Of the node that makes it; -1 for inputs. */
  readonly index: number;
  readonly axis?: number;
}

/** Some axes of a value, one after another, whose sizes are multiplied. */
interface Extent {
  readonly name: string;
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/** Writes constants that depend on the open dimensions as nodes: Shape, Concat and a little arithmetic. */
export function shapeWriter(
  builders: readonly Trial[],
  dimensions: readonly OpenDimension[],
  sizes: readonly Sizes[],
): ShapeWriter {
  const nodes: Node[] = [];
  const initializers = new Map<string, TensorData>();
  const written = new Map<string, string>();
  const base = builders[0] as Trial;
  const { byShape, byDim, byCount } = findPlaces(builders, dimensions);

  function emit(opType: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const plain = toAttributes(attributes);
    return once(`${opType}(${inputs}) ${JSON.stringify(plain)}`, () => {
      const name = base.fresh(`sizes/${opType}`);
      nodes.push({ name, opType, domain: '', inputs, outputs: [name], attributes: plain });
      return name;
    });
  }

  function constant(type: DataType, values: readonly number[], dims?: readonly number[]): string {
    return once(`${type}[${dims}] ${values}`, () => {
      const name = base.fresh('sizes/constant');
      initializers.set(name, tensorOf(type, values, dims));
      return name;
    });
  }

  function once(key: string, make: () => string): string {
    const known = written.get(key);
    if (known !== undefined) return known;
    const name = make();
    written.set(key, name);
    return name;
  }

  /** A [1] tensor of an open dimension. */
  function dimension({ input, axis }: OpenDimension): string {
    return emit('Shape', [input], { start: axis, end: axis + 1 });
  }

  /** A [1] tensor of a formula in int64 (where it has no fractions) or another type. */
  function formula(found: Formula, type: DataType): string {
    const plain = (value: number) => constant(type, [value]);
    const read = (each: OpenDimension) => cast(dimension(each), type);
    if (found.kind === 'sum')
      return [...found.slopes].reduce(
        (total, [each, slope]) =>
          emit('Add', [total, slope === 1 ? read(each) : emit('Mul', [read(each), plain(slope)])]),
        plain(found.offset),
      );
    const factors = (sign: 1 | -1) =>
      [...found.powers].flatMap(([each, power]) =>
        Array<string>(Math.max(0, sign * power)).fill(read(each)),
      );
    const [above, below] = [factors(1), factors(-1)];
    const product = (list: readonly string[], start: string) =>
      list.reduce((total, factor) => emit('Mul', [total, factor]), start);
    const numerator =
      found.coefficient === 1 && above.length > 0
        ? product(above.slice(1), above[0] as string)
        : product(above, plain(found.coefficient));
    return below.length === 0
      ? numerator
      : emit('Div', [numerator, product(below.slice(1), below[0] as string)]);
  }

  /** A [1] tensor of the elements that some axes of a value have together. */
  function count({ name, from, to }: Extent): string {
    const axes = Array.from({ length: to - from }, (_, i) => from + i);
    return axes
      .map((axis) => emit('Shape', [name], { start: axis, end: axis + 1 }))
      .reduce((total, size) => emit('Mul', [total, size]));
  }

  function cast(name: string, type: DataType): string {
    return type === 'int64' ? name : emit('Cast', [name], { to: elementTypes[type].code });
  }

  function number(seen: readonly number[], type: DataType, before: number): string | undefined {
    if (seen.every((each) => each === seen[0])) return constant(type, [seen[0] ?? 0]);
    const place = byDim.get(seen.join());
    if (place?.axis !== undefined && place.index < before)
      return cast(emit('Shape', [place.name], { start: place.axis, end: place.axis + 1 }), type);
    const extent = byCount.get(seen.join());
    if (extent !== undefined && extent.index < before) return cast(count(extent), type);
    const found = findFormula(seen, dimensions, sizes);
    if (found === undefined) return undefined;
    const integral = type.includes('int');
    if (integral && !isIntegral(found)) return undefined;
    return formula(found, type);
  }

  /** A list of numbers, each with what it is in every trial. */
  function vector(columns: readonly (readonly number[])[], type: DataType, before: number) {
    const parts: string[] = [];
    let fixed: number[] = [];
    const flush = () => {
      if (fixed.length > 0) parts.push(constant(type, fixed));
      fixed = [];
    };
    for (const seen of columns) {
      if (seen.every((each) => each === seen[0])) {
        fixed.push(seen[0] ?? 0);
        continue;
      }
      flush();
      const part = number(seen, type, before);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    flush();
    return parts.length === 1 ? parts[0] : emit('Concat', parts, { axis: 0 });
  }

  function shape(shapes: readonly (readonly number[])[], before: number): string | undefined {
    const place = byShape.get(shapes.join('|'));
    if (place !== undefined && place.index < before) return emit('Shape', [place.name]);
    const rank = shapes[0]?.length ?? 0;
    if (shapes.some((each) => each.length !== rank)) return undefined;
    const columns = Array.from({ length: rank }, (_, i) => shapes.map((each) => each[i] ?? 0));
    return vector(columns, 'int64', before);
  }

  function write(tensors: readonly TensorData[], { node, index, input }: Use): string | undefined {
    const [first] = tensors as readonly [TensorData];
    const { type, dims } = first;
    const lists = tensors.map(numbersOf);
    if (lists.some((list) => list === undefined)) return undefined;
    const numbers = lists as readonly (readonly number[])[];
    const sameDims = tensors.every((tensor) => tensor.dims.join() === dims.join());
    if (!sameDims) return fill(tensors, numbers, index);
    const columns = (numbers[0] ?? []).map((_, i) => numbers.map((list) => list[i] ?? 0));
    if (type === 'int64' && dims.length === 1) {
      const changing = columns.filter((seen) => seen.some((each) => each !== seen[0]));
      const inferable = changing.length === 1 && columns.every((seen) => !seen.includes(0));
      if (node.opType === 'Reshape' && input === 1 && inferable)
        return constant(
          'int64',
          columns.map((seen) => (seen === changing[0] ? -1 : (seen[0] ?? 0))),
        );
      return shape(numbers, index);
    }
    if (columns.length === 1 && dims.length <= 1) {
      const value = number(columns[0] ?? [], type, index);
      return value === undefined || dims.length === 1 ? value : emit('Squeeze', [value]);
    }
    return dims.length === 1 ? vector(columns, type, index) : undefined;
  }

  /** A tensor of one number whose shape depends on the sizes. */
  function fill(
    tensors: readonly TensorData[],
    numbers: readonly (readonly number[])[],
    before: number,
  ): string | undefined {
    const value = numbers[0]?.[0] ?? 0;
    if (numbers.some((list) => list.some((each) => each !== value))) return undefined;
    const wanted = shape(
      tensors.map(({ dims }) => dims),
      before,
    );
    const type = tensors[0]?.type ?? 'float32';
    return wanted && emit('ConstantOfShape', [wanted], { value: filled(type, [1], value) });
  }

  return { nodes, initializers, write };
}

function isIntegral(found: Formula): boolean {
  const numbers =
    found.kind === 'product'
      ? [found.coefficient, ...[...found.powers.values()].map((power) => (power < 0 ? 0.5 : 1))]
      : [found.offset, ...found.slopes.values()];
  return numbers.every(Number.isInteger);
}

/** Values by their shape, dimensions by their size, and runs of dimensions by their product, in all trials: the
 *  earliest of each. Inputs come first. */
function findPlaces(builders: readonly Trial[], dimensions: readonly OpenDimension[]) {
  const byShape = new Map<string, Place>();
  const byDim = new Map<string, Place>();
  const byCount = new Map<string, Extent>();
  const [base] = builders;
  const note = (name: string, index: number) => {
    const shapes = builders.map((builder) => builder.values.get(name)?.shape ?? []);
    const rank = shapes[0]?.length ?? 0;
    if (shapes.some((shape) => shape.length !== rank)) return;
    const all = shapes.join('|');
    if (!byShape.has(all)) byShape.set(all, { name, index });
    for (let axis = 0; axis < rank; axis++) {
      const key = shapes.map((shape) => shape[axis]).join();
      if (!byDim.has(key)) byDim.set(key, { name, index, axis });
      for (let to = axis + 2; to <= rank; to++) {
        const counts = shapes.map((shape) => elementCount(shape.slice(axis, to))).join();
        if (!byCount.has(counts)) byCount.set(counts, { name, index, from: axis, to });
      }
    }
  };
  for (const { input } of dimensions) note(input, -1);
  base?.nodes.forEach((node, index) => {
    for (const output of node.outputs) if (output !== '') note(output, index);
  });
  return { byShape, byDim, byCount };
}
