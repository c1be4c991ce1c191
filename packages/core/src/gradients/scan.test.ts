import { expect, test } from 'vitest';
import { createBuilder, type GraphBuilder } from '../graph/builder.js';
import { lower } from '../lowering/lower.js';
import type { Node } from '../onnx/ir.js';
import { subgraphs } from '../onnx/names.js';
import { differentiate } from './differentiate.js';

/** An LSTM over so many steps, differentiated. */
function longLstm(steps: number, longestUnrolled: number): GraphBuilder {
  const builder = createBuilder();
  const { op } = builder;
  const declare = (name: string, shape: readonly number[]) =>
    builder.declare({ name, type: 'float32', shape });
  const [, last] = op.LSTM(
    declare('x', [steps, 2, 3]),
    declare('w', [1, 16, 3]),
    declare('r', [1, 16, 4]),
    declare('b', [1, 32]),
    { hidden_size: 4 },
  );
  if (last === undefined) throw new Error('an LSTM has several outputs');
  differentiate(builder, op.sum(last), ['w', 'r', 'b'], { longestUnrolled });
  return builder;
}

const all = (nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap((node) => [node, ...subgraphs(node).flatMap((graph) => all(graph.nodes))]);

test('a long recurrence has as many nodes as a short one', () => {
  expect(all(longLstm(1000, 8).nodes)).toHaveLength(all(longLstm(10, 8).nodes).length);
  expect(all(longLstm(100, 200).nodes).length).toBeGreaterThan(1000);
});

test('one Scan goes forward, one back, and the products of all steps are outside of both', () => {
  const { nodes } = longLstm(50, 8);
  expect(nodes.filter(({ opType }) => opType === 'Scan')).toHaveLength(2);
  const inside = nodes.flatMap((node) => subgraphs(node).flatMap((graph) => graph.nodes));
  const weightGradients = inside.filter(
    ({ attributes: { transA } }) => transA?.type === 'int' && transA.value === 1,
  );
  expect(weightGradients).toEqual([]);
});

test('the forward Scan puts out what the backward one takes, and no more', () => {
  const { nodes } = longLstm(50, 8);
  const [forward, backward] = nodes.filter(({ opType }) => opType === 'Scan');
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  // The two last states are outputs whether or not anybody uses them.
  const stashed = forward?.outputs.slice(2) ?? [];
  expect(stashed).not.toHaveLength(0);
  expect(stashed.filter((output) => !used.has(output))).toEqual([]);
  expect(backward?.inputs.filter((name) => forward?.outputs.includes(name)).length).toBeGreaterThan(
    3,
  );
});

test('ops of the training dialect are lowered within a Scan', () => {
  const builder = longLstm(50, 8);
  const training = (nodes: readonly Node[]) =>
    all(nodes).filter(({ opType }) => /^(Tanh|Sigmoid)Grad$/.test(opType));
  expect(training(builder.nodes).length).toBeGreaterThan(0);
  const nodes = lower(builder, ['w_grad', 'r_grad', 'b_grad'], {
    provider: 'cpu',
    random: () => {
      throw new Error('nothing here is random');
    },
  });
  expect(training(nodes)).toEqual([]);
});
