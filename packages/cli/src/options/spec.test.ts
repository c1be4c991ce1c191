import { expect, test } from 'vitest';
import { parseSpec } from './spec.js';

const flat = (text: string) => {
  const { name, options } = parseSpec(text);
  return [name, Object.fromEntries(options)];
};

test.each([
  ['norm-clip', 'norm-clip', {}],
  ['norm-clip:max-norm=1', 'norm-clip', { 'max-norm': '1' }],
  [' l2 : lambda = 1e-4 , exclude = *.bias ', 'l2', { lambda: '1e-4', exclude: '*.bias' }],
  [
    'norm-clip:max-norm=cosine(1,0.1,1000),every=2',
    'norm-clip',
    { 'max-norm': 'cosine(1,0.1,1000)', every: '2' },
  ],
  ['quantize:bits=8, error-feedback ', 'quantize', { bits: '8', 'error-feedback': true }],
  ['l2:include=[fc1.*,fc2.*],from=3', 'l2', { include: '[fc1.*,fc2.*]', from: '3' }],
  ['l2:include=*.{weight,bias}', 'l2', { include: '*.{weight,bias}' }],
  ['./mine.js:strength=2', './mine.js', { strength: '2' }],
  ['C:\\plugins\\mine.js:strength=2', 'C:\\plugins\\mine.js', { strength: '2' }],
  ['@acme/gradware-plugin-x:a=b=c', '@acme/gradware-plugin-x', { a: 'b=c' }],
])('reads %s', (text, name, options) => {
  expect(flat(text)).toEqual([name, options]);
});

test('reads what stands inside brackets, with options of its own', () => {
  const { name, inner, options } = parseSpec(
    'error-feedback(top-k:ratio=0.01,per=tensor):decay=0.9',
  );
  expect(name).toBe('error-feedback');
  expect(Object.fromEntries(options)).toEqual({ decay: '0.9' });
  expect(inner.map(({ name: one }) => one)).toEqual(['top-k']);
  expect(Object.fromEntries(inner[0]?.options ?? [])).toEqual({ ratio: '0.01', per: 'tensor' });
});

test('brackets nest, and hold several', () => {
  const { inner } = parseSpec('switch(a(b:x=1),c:y=2)');
  expect(inner.map(({ name }) => name)).toEqual(['a', 'c']);
  expect(inner[0]?.inner[0]?.options.get('x')).toBe('1');
});

test.each([
  ['', 'has no name'],
  [':max-norm=1', 'has no name'],
  ['norm-clip:', 'lacks an option'],
  ['norm-clip:max-norm=', 'half an option'],
  ['norm-clip:=1', 'half an option'],
  ['norm-clip:max-norm=1,', 'lacks an option'],
  ['norm-clip:max-norm=1,max-norm=2', 'gives max-norm twice'],
  ['norm-clip:max-norm=cosine(1,0.1', 'lacks a ")"'],
  ['norm-clip:max-norm=1)', 'has a ")" too many'],
  ['l2:include=[a)', 'has a ")" too many'],
  ['error-feedback()', 'empty brackets'],
  ['error-feedback(top-k:k=2,id=x),id=y,every=2', '"id=y,every=2" behind its brackets'],
])('refuses "%s"', (text, problem) => {
  expect(() => parseSpec(text)).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(problem) }),
  );
});
