import { domainOf } from '../../packages/core/src/graph/dialect.js';
import { type Attributes, toAttributes } from '../../packages/core/src/graph/value.js';
import type { Model, TensorData, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import type { OracleNode } from './ort-training.js';

/** A model of a single node: inputs x0, x1, ..., outputs y0, y1, ... */
export function encodeNode(node: OracleNode): Uint8Array {
  const { opType, inputs, outputs, opset = 17, constants = [] } = node;
  const domain = node.domain ?? domainOf(opType);
  const fixed = (i: number) => constants.includes(i);
  const named = inputs.flatMap((tensor, i) => (tensor === undefined ? [] : [{ tensor, i }]));
  const model: Model = {
    graph: {
      name: opType,
      nodes: [
        {
          name: opType,
          opType,
          domain,
          inputs: inputs.map((tensor, i) => (tensor === undefined ? '' : `x${i}`)),
          outputs: outputs.map((output, i) => (output === undefined ? '' : `y${i}`)),
          attributes: toAttributes((node.attributes ?? {}) as Attributes),
        },
      ],
      inputs: named.filter(({ i }) => !fixed(i)).map(({ tensor, i }) => info(`x${i}`, tensor)),
      outputs: outputs.flatMap((output, i): ValueInfo[] =>
        output === undefined ? [] : [{ name: `y${i}`, ...output }],
      ),
      initializers: new Map(
        named.filter(({ i }) => fixed(i)).map(({ tensor, i }) => [`x${i}`, tensor] as const),
      ),
      valueInfo: new Map(),
    },
    opsets: new Map([
      ['', opset],
      ['com.microsoft', 1],
    ]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-test',
  };
  return encodeModel(model);
}

function info(name: string, { type, dims }: TensorData): ValueInfo {
  return { name, type, shape: dims };
}
