import { expect, test } from 'vitest';
import { GradwareError } from '../errors.js';
import type { Node } from '../onnx/ir.js';
import { prune, sortNodes } from './order.js';

function node(name: string, inputs: string[], outputs = [name]): Node {
  return { name, opType: 'Add', domain: '', inputs, outputs, attributes: {} };
}

test('sorts nodes so that producers come first and keeps the given order otherwise', () => {
  const nodes = [
    node('d', ['b', 'c']),
    node('b', ['a', 'x']),
    node('c', ['a', 'b']),
    node('a', ['x']),
  ];
  expect(sortNodes(nodes).map((n) => n.name)).toEqual(['a', 'b', 'c', 'd']);
});

test('a cycle is an error, a diamond and a long chain are not', () => {
  expect(() => sortNodes([node('a', ['b']), node('b', ['a'])])).toThrow(GradwareError);
  expect(() => sortNodes([node('a', ['a'])])).toThrow(GradwareError);
  const chain = Array.from({ length: 20_000 }, (_, i) =>
    node(`n${i}`, [`n${i + 1}`, `n${Math.min(i + 2, 20_000)}`]),
  );
  expect(sortNodes(chain)[0]?.name).toBe('n19999');
});

test('prunes what no output needs', () => {
  const nodes = [node('a', ['x']), node('b', ['a']), node('c', ['a'])];
  expect(prune(nodes, ['b']).map((n) => n.name)).toEqual(['a', 'b']);
});
