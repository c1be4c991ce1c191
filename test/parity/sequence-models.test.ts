import { describe, expect, test } from 'vitest';
import { prune } from '../../packages/core/src/graph/order.js';
import { lossByName } from '../../packages/core/src/losses/index.js';
import { TrainingSession } from '../../packages/core/src/node.js';
import type { Node } from '../../packages/core/src/onnx/ir.js';
import { encodeModel } from '../../packages/core/src/onnx/model.js';
import { subgraphs } from '../../packages/core/src/onnx/names.js';
import { modelDifferences } from '../support/model-differences.js';
import { modelGradients } from '../support/model-gradients.js';
import { cases, shapes } from './sequence-cases.js';
import { batch, first, type Line, model, random, whileLoop, width, x } from './sequence-graphs.js';

describe('models with loops and lists have the gradients that finite differences of them have', () => {
  const forms = [undefined, 0].flatMap((longestUnrolled) =>
    Object.keys(cases).map((name) => [name, longestUnrolled] as const),
  );
  test.each(forms)('%s, unrolled up to %s steps', async (name, longestUnrolled) => {
    const shape = shapes[name] ?? [batch, width];
    const { losses, pairs } = await modelDifferences(
      model(cases[name] ?? []),
      new Map([['x', x]]),
      shape,
      { longestUnrolled },
    );
    expect(losses[0]).toBeCloseTo(losses[1], 5);
    expect(pairs.map(({ parameter }) => parameter)).toEqual(['w', 'b']);
    for (const { parameter, numeric, analytic } of pairs)
      expect(
        Math.abs(numeric - analytic) / Math.max(Math.abs(numeric), 0.1),
        parameter,
      ).toBeLessThan(0.01);
  });
});

/** Of how many nodes, nested ones too, the gradients of a model over so many steps are made. */
async function sizeAt(name: string, length: number, shape: readonly number[]): Promise<number> {
  const target = random(...shape);
  const { nodes: made } = await modelGradients(
    model(cases[name] ?? []),
    new Map([
      ['x', random(batch, length, width)],
      ['target', target],
    ]),
    lossByName('mse'),
    [],
    8,
  );
  expect(made.filter(({ opType }) => opType === 'Scan')).toHaveLength(2);
  const count = (all: readonly Node[]): number =>
    all.reduce((sum, node) => sum + 1 + count(subgraphs(node).flatMap((graph) => graph.nodes)), 0);
  return count(prune(made, ['w_grad', 'b_grad']));
}

test.each([
  'a loop over time, whose length follows from the shape',
  'a loop over windows from the last step to the first, with weights that it hands on',
  'a loop that puts its states on a list',
])('%s: long ones have as many nodes as short ones', async (name) => {
  const shape = (length: number) => (shapes[name] ? [batch, length, width] : [batch, width]);
  expect(await sizeAt(name, 300, shape(300))).toBe(await sizeAt(name, 30, shape(30)));
});

/** What cannot be known before the data are. */
const refused: Readonly<Record<string, readonly [readonly Line[], string]>> = {
  'a position that the data give': [
    [
      ['xw', 'MatMul', 'x w'],
      ['alist', 'SplitToSequence', 'xw', { axis: 1 }],
      ['flat', 'Gemm', 'w w b'],
      ['most', 'ArgMax', 'b', { keepdims: 0 }],
      ['logits', 'SequenceAt', 'alist most'],
    ],
    'UNSUPPORTED',
  ],
  'a loop without an end that is known': [
    [
      ...first,
      ['bs', 'ReduceSum', 'b', { keepdims: 0 }],
      [
        'logits count',
        'Loop',
        'many yes h0 zero',
        { body: whileLoop([['on', 'Identity', 'small']], 'on') },
      ],
    ],
    'NO_GRADIENT',
  ],
};

test.each(Object.keys(refused))('%s is refused', async (name) => {
  const [lines, code] = refused[name] as (typeof refused)[string];
  const run = modelDifferences(model(lines), new Map([['x', x]]), [batch, width]);
  await expect(run).rejects.toMatchObject({ code, remedy: expect.any(String) });
});

const shapedByData: Readonly<Record<string, readonly Line[]>> = {
  'boolean indexing': [
    ['xw', 'MatMul', 'x w'],
    ['positive', 'Less', 'x six'],
    ['places', 'NonZero', 'positive'],
    ['where', 'Transpose', 'places'],
    ['logits', 'GatherND', 'xw where'],
  ],
  'a size computed from data': [
    ['xw', 'MatMul', 'x w'],
    ['xflat', 'Reshape', 'x flat'],
    ['most', 'ArgMax', 'xflat', { keepdims: 1 }],
    ['logits', 'Slice', 'xw flat most axis'],
  ],
};

test.each(Object.keys(shapedByData))('%s is refused before anything runs', async (name) => {
  const created = TrainingSession.create(encodeModel(model(shapedByData[name] ?? [])), {
    loss: 'mse',
  });
  await expect(created).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    problem: expect.stringContaining('depends on the data'),
  });
});
