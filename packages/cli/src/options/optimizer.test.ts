import { expect, test } from 'vitest';
import { parseLoss } from './loss.js';
import { parseOptimizer } from './optimizer.js';

test('the learning rate is taken out of the options of the optimizer', () => {
  const { optimizer, learningRate } = parseOptimizer('adamw:lr=3e-4,weight-decay=0.1');
  expect(optimizer.name).toBe('adamw');
  expect(optimizer.settings).toEqual({ weightDecay: 0.1 });
  expect(learningRate).toBe(3e-4);
  expect(parseOptimizer('sgd:momentum=0.9,nesterov=true').learningRate).toBeUndefined();
});

test('the learning rate may be a schedule', () => {
  const { learningRate } = parseOptimizer('sgd:learning-rate=linear(1,0,10)');
  expect(typeof learningRate === 'function' && learningRate(5)).toBe(0.5);
});

test.each([
  ['adamv', 'No optimizer is named "adamv"', 'Did you mean adam'],
  ['lbfgs', 'No optimizer is named "lbfgs"', ''],
  ['adamw:lr=fast', 'lr of adamw must be a number >= 0, or a schedule .*, not fast', ''],
  ['adamw:lr=-1', 'lr of adamw must be a number >= 0, or a schedule .*, not -1', ''],
  ['adamw:momentum=1', 'adamw has no option "momentum"', 'Its options: lr, learning-rate, beta1'],
  ['adamw:lr=1,learning-rate=1', 'are the same', ''],
  ['adamw:wieght-decay=1', 'adamw has no option "wieght-decay"', 'Did you mean weight-decay?'],
  ['adamw:beta1=1', 'beta1 of adamw must be a number >= 0 and < 1, not 1', ''],
])('refuses %s', (text, problem, remedy) => {
  expect(() => parseOptimizer(text)).toThrow(new RegExp(`${problem}[\\s\\S]*${remedy}`));
});

test('losses have names and options too', () => {
  expect(parseLoss('huber:delta=0.5').name).toBe('huber');
  expect(() => parseLoss('cross-entropi')).toThrow(/Did you mean cross-entropy/);
  expect(() => parseLoss('huber:delta=-1')).toThrow(/delta of huber must be/);
});
