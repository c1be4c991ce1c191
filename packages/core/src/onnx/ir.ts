/** The in-memory form of an ONNX model: plain, readonly data that every layer above shares. */

export type FloatType = 'float32' | 'float16' | 'bfloat16' | 'float64';

/** ONNX element types, under the names that onnxruntime-common gives them where it has one. */
export type DataType =
  | FloatType
  | 'int4'
  | 'uint4'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string'
  | 'complex64'
  | 'complex128'
  | 'float8e4m3fn'
  | 'float8e4m3fnuz'
  | 'float8e5m2'
  | 'float8e5m2fnuz';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** A tensor with its values. `float16` and `bfloat16` are bit patterns in a Uint16Array, `bool` is a Uint8Array,
 *  types without a JavaScript array (4-bit, 8-bit floats, complex) are their packed bytes. */
export interface TensorData {
  readonly type: DataType;
  readonly dims: readonly number[];
  readonly data: TypedArray | readonly string[];
}

/** A number, the name of a symbolic dimension, or null where nothing is known. */
export type Dim = number | string | null;

export interface ValueInfo {
  readonly name: string;
  /** Element type; undefined where the model does not say. Sequences and optionals are named as such. */
  readonly type?: DataType | 'sequence' | 'optional' | 'sparse' | 'map' | undefined;
  /** The element type of the tensors in a sequence or optional, where it holds tensors. */
  readonly element?: DataType | undefined;
  /** What a map, or each in a sequence of maps, leads from and to, where it leads to tensors. */
  readonly map?: { readonly key: DataType; readonly value: DataType } | undefined;
  /** undefined where not even the rank is known. Of a sequence or optional: the shape of its tensors. */
  readonly shape?: readonly Dim[] | undefined;
}

/** 64-bit integers are clamped to ±Number.MAX_SAFE_INTEGER: attributes use the extremes only as "to the end". */
export type Attribute =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: TensorData }
  | { readonly type: 'graph'; readonly value: Graph }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'tensors'; readonly value: readonly TensorData[] }
  | { readonly type: 'graphs'; readonly value: readonly Graph[] }
  /** Inside a model-local function: the attribute of the calling node to take. */
  | { readonly type: 'reference'; readonly value: string };

export interface Node {
  readonly name: string;
  readonly opType: string;
  /** '' for ai.onnx. */
  readonly domain: string;
  /** '' marks an absent optional input. */
  readonly inputs: readonly string[];
  /** '' marks an output that nobody wants. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, TensorData>;
  /** What the file says of values in between. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;
}

export interface FunctionDefinition {
  readonly name: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly string[];
  readonly defaults: Readonly<Record<string, Attribute>>;
  readonly nodes: readonly Node[];
  readonly opsets: ReadonlyMap<string, number>;
}

export interface Model {
  readonly graph: Graph;
  /** Opset version by domain; '' is ai.onnx. */
  readonly opsets: ReadonlyMap<string, number>;
  readonly irVersion: number;
  readonly functions: readonly FunctionDefinition[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly producer: string;
}
