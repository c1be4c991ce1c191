import { InferenceSession } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { toAttributes } from '../../packages/core/src/graph/value.js';
import { Tensor, TrainingSession } from '../../packages/core/src/node.js';
import type { Attribute, Graph, Model, Node, ValueInfo } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { generator } from '../support/compare.js';

const random = generator(5);

function node(opType: string, inputs: string, outputs: string, attributes = {}): Node {
  const names = (text: string) => (text === '' ? [] : text.split(' '));
  return {
    ...{ name: `${opType} ${outputs}`, opType, domain: '' },
    ...{ inputs: names(inputs), outputs: names(outputs) },
    attributes: toAttributes(attributes),
  };
}

const branch = (nodes: readonly Node[], output: string): Attribute => ({
  type: 'graph',
  value: {
    ...{ name: output, nodes, inputs: [], outputs: [{ name: output }] },
    ...{ initializers: new Map(), valueInfo: new Map() },
  } satisfies Graph,
});

const choice = (condition: string, output: string, yes: Attribute, no: Attribute): Node => ({
  ...node('If', condition, output),
  attributes: { then_branch: yes, else_branch: no },
});

/** Voice detection in two sampling rates: each branch has weights of its own for its own number of samples, and squeezes
 *  what it has one frame of, as torch.jit.script writes it, before a recurrence that wants three axes. */
function detector(rate: ValueInfo, condition: readonly Node[]): Model {
  const path = (own: string) => {
    const shape = [
      node('MatMul', `x w_${own}`, `h_${own}`),
      node('Unsqueeze', `h_${own} two`, `u_${own}`),
      node('Shape', `u_${own}`, `shape_${own}`),
      node('Gather', `shape_${own} two`, `last_${own}`),
      node('Equal', `last_${own} one`, `single_${own}`),
    ];
    const squeezed = choice(
      `single_${own}`,
      `s_${own}`,
      branch([node('Squeeze', `u_${own} two`, `a_${own}`)], `a_${own}`),
      branch([node('Identity', `u_${own}`, `b_${own}`)], `b_${own}`),
    );
    const rest = [
      node('Unsqueeze', `s_${own} zero`, `steps_${own}`),
      node('LSTM', `steps_${own} wi wr`, `all_${own} y_${own}`, { hidden_size: 3 }),
    ];
    return branch([...shape, squeezed, ...rest], `y_${own}`);
  };
  return {
    graph: {
      name: 'detector',
      nodes: [
        ...condition,
        choice('fast', 'y', path('fast'), path('slow')),
        node('Squeeze', 'y zero', 'out'),
      ],
      inputs: [{ name: 'x', type: 'float32', shape: ['n', 'samples'] }, rate],
      outputs: [{ name: 'out', type: 'float32', shape: ['n', 3] }],
      initializers: new Map([
        ['w_fast', random(6, 4)],
        ['w_slow', random(5, 4)],
        ['wi', random(1, 12, 4)],
        ['wr', random(1, 12, 3)],
        ['zero', tensorOf('int64', [0])],
        ['one', tensorOf('int64', [1])],
        ['two', tensorOf('int64', [2])],
        ['sixteen', tensorOf('int64', [16000], [])],
      ]),
      valueInfo: new Map(),
    },
    opsets: new Map([['', 17]]),
    irVersion: 8,
    functions: [],
    metadata: new Map(),
    producer: 'gradware-test',
  };
}

const forms = {
  'a rate': {
    model: detector({ name: 'rate', type: 'int64', shape: [] }, [
      node('Equal', 'rate sixteen', 'fast'),
    ]),
    rate: (fast: boolean) => new Tensor('int64', BigInt64Array.of(fast ? 16000n : 8000n), []),
  },
  'a flag': {
    model: detector({ name: 'rate', type: 'bool', shape: [1] }, [
      node('Squeeze', 'rate', 'plain'),
      node('Not', 'plain', 'not'),
      node('Not', 'not', 'fast'),
    ]),
    rate: (fast: boolean) => new Tensor('bool', Uint8Array.of(fast ? 1 : 0), [1]),
  },
};

test.each(Object.entries(forms))(
  'branches that %s decides are those that train',
  async (_, form) => {
    const bytes = encodeModel(form.model);
    const session = await TrainingSession.create(bytes, { loss: 'mse', learningRate: 0.1 });
    expect([...session.trainableNames].sort()).toEqual(['w_fast', 'w_slow', 'wi', 'wr']);
    const batch = (fast: boolean, n = 2) => ({
      x: new Tensor('float32', random(n, fast ? 6 : 5).data as Float32Array, [n, fast ? 6 : 5]),
      rate: form.rate(fast),
      target: new Tensor('float32', random(n, 3).data as Float32Array, [n, 3]),
    });
    const plain = await InferenceSession.create(bytes);
    for (const fast of [true, false]) {
      const given = batch(fast);
      const { out } = await plain.run({ x: given.x, rate: given.rate });
      const wanted = Array.from(out?.data as Float32Array).reduce(
        (sum, y, i) => sum + (y - (given.target.data[i] as number)) ** 2 / 6,
        0,
      );
      const evaluated = await session.runEvalStep(given);
      expect(Number(Object.values(evaluated)[0]?.data[0])).toBeCloseTo(wanted, 5);
      const ran = await session.runTrainStep(given);
      expect(Number(Object.values(ran)[0]?.data[0])).toBeCloseTo(wanted, 5);
      const gradients = await session.gradients();
      const moves = (name: string) => gradients.get(name)?.data.some((g) => g !== 0);
      expect([moves('w_fast'), moves('w_slow'), moves('wr')]).toEqual([fast, !fast, false]);
      expect(moves('wi')).toBe(true);
      await session.lazyResetGrad();
    }
    const mixed = [batch(true), batch(true), batch(false), batch(false), batch(true)];
    const { losses } = await session.steps([...mixed, ...mixed, ...mixed, ...mixed]);
    expect(losses).toHaveLength(20);
    expect(losses[19]).toBeLessThan(losses[4] as number);
    const exported = await InferenceSession.create(await session.exportModel());
    expect(exported.inputNames).toEqual(['x', 'rate']);
    await session.release();
  },
);
