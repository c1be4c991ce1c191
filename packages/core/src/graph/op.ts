import type { DataType, Node, TensorData } from '../onnx/ir.js';
import type { KnownOp, shapeRules } from './shapes/index.js';
import type { Attributes, Operand, PlainAttributes, TensorType, Value } from './value.js';

type Outputs<Op extends KnownOp> =
  ReturnType<(typeof shapeRules)[Op]> extends TensorType ? Value : readonly Value[];

type Emitters = {
  readonly [Op in KnownOp]: (...inputs: (Operand | Attributes)[]) => Outputs<Op>;
};

/** `op.<AnyOnnxOp>(...inputs, attributes?)` emits a node and returns its output: a Value with name, type and
 *  shape, or a list for ops with several outputs (`const [values, indices] = op.TopK(...)`). */
export type Op = Emitters & OpHelpers;

export interface EmitOptions {
  /** Types of the outputs, where no shape rule can know them. */
  readonly types?: readonly TensorType[];
  /** Names of the outputs, where somebody else expects them. */
  readonly outputs?: readonly string[];
  readonly domain?: string;
  readonly name?: string;
}

/** A graph that grows: nodes in the order of emission, the type of every value, constants. */
export interface GraphBuilder {
  readonly op: Op;
  readonly nodes: readonly Node[];
  readonly values: ReadonlyMap<string, Value>;
  readonly initializers: ReadonlyMap<string, TensorData>;
  emit(
    opType: string,
    inputs: readonly Operand[],
    attributes?: PlainAttributes,
    options?: EmitOptions,
  ): readonly Value[];
  /** Adds an existing node as it is, with the types of its outputs. */
  add(node: Node, types: readonly Value[]): void;
  /** Declares a value that comes from outside: a graph input, a value of an enclosing graph. */
  declare(value: Value): Value;
  initializer(name: string, tensor: TensorData): Value;
  value(name: string): Value;
  /** Declares a list of tensors whose length is known. Its value is no tensor: it stands for the list by its name. */
  listed(items: readonly Value[], name?: string): Value;
  /** The tensors of a list; undefined of anything else. */
  sequence(value: Value | string): readonly Value[] | undefined;
  producer(value: Value | string): Node | undefined;
  constant(value: Value | string): TensorData | undefined;
  /** Notes the numbers of a value that follow from constants and shapes alone. */
  learn(name: string, numbers: TensorData): void;
  fresh(hint: string): string;
  /** Lets every node that uses one value use another. */
  redirect(from: Value, to: Value): void;
  /** Everything emitted inside `run` is named `<scope>/...`. */
  scoped<Result>(scope: string, run: () => Result): Result;
  /** Takes away and returns the nodes emitted since `mark` (a former `nodes.length`). */
  takeSince(mark: number): readonly Node[];
}

/** What `op` offers beside ONNX's own ops. */
export interface OpHelpers {
  /** A 0-d constant. */
  scalar(value: number, type?: DataType): Value;
  /** A constant with its values. */
  constant(tensor: TensorData): Value;
  /** A 1-d int64 constant: axes, shapes, starts. */
  ints(values: readonly number[]): Value;
  /** A constant of one number in a given type and shape. */
  filled(like: TensorType, value: number): Value;
  /** A constant of zeros (false) that costs no bytes in the model, however large. */
  zeros(like: TensorType): Value;
  /** A constant of ones (true), the same way. */
  ones(like: TensorType): Value;
  cast(value: Value, type: DataType): Value;
  reshape(value: Value, shape: readonly number[]): Value;
  transpose(value: Value, perm: readonly number[]): Value;
  /** Sum over axes; all of them if not given. */
  sum(value: Value, axes?: readonly number[], keepdims?: boolean): Value;
  mean(value: Value, axes?: readonly number[], keepdims?: boolean): Value;
  slice(value: Value, axis: number, start: number, end: number): Value;
  /** Sums a gradient over the axes along which `target` was broadcast, so that it has the shape of `target`. */
  sumTo(target: TensorType, gradient: Value): Value;
  /** ‖g‖₂ over all elements of all tensors: a float32 scalar. */
  globalNorm(values: readonly Value[]): Value;
  /** Σ x over all elements of all tensors, however many: a float32 scalar. */
  total(values: readonly Value[]): Value;
  /** max |x| of each tensor, 0 of one without elements: a float32 vector. NaN may be lost. */
  infNorms(values: readonly Value[]): Value;
  /** Σ a · b over all elements of two lists of tensors of the same shapes: a float32 scalar. */
  dot(a: readonly Value[], b: readonly Value[]): Value;
  /** The angle between two lists of tensors, each taken as one long vector, in degrees: a float32 scalar. */
  angle(a: readonly Value[], b: readonly Value[]): Value;
  /** True where every element of every tensor is finite: a bool scalar. Never looks at a maximum, which hides NaN. */
  isFinite(...values: readonly Value[]): Value;
  /** One of two lists of values, by a bool scalar; only the chosen side is computed. */
  select(
    condition: Value,
    whenTrue: readonly Value[],
    whenFalse: readonly Value[],
  ): readonly Value[];
}
