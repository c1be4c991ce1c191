import { valueAt } from '@gradware/core';
import { expect, test } from 'vitest';
import { searchRoots } from '../plugins/find.js';
import { pluginNames, readPlan } from './plan.js';

const read = (flags: Partial<Parameters<typeof readPlan>[0]>) =>
  readPlan({ group: [], optimizer: [], plugin: [], ...flags }, searchRoots(import.meta.dirname));

test('plugins and optimizers go to the group before their slash, the others to all', async () => {
  const plan = await read({
    group: ['head:match=[head.*,*.bias],max-rank=1,lr=linear(1,0,10)', 'body:min-rank=2'],
    optimizer: ['adamw:lr=0.01', 'body/sgd:momentum=0.5,lr=0.2,nesterov'],
    plugin: ['head/norm-clip:max-norm=2', 'l2:lambda=0.1', 'head/norm-clip:id=twice'],
  });
  expect(pluginNames(plan)).toEqual(['l2', 'head/norm-clip', 'head/twice']);
  expect([plan.optimizer?.name, plan.learningRate]).toEqual(['adamw', 0.01]);
  const [head, body] = plan.groups;
  expect(head).toMatchObject({ name: 'head', match: ['head.*', '*.bias'], maxRank: 1 });
  expect(head?.optimizer).toBeUndefined();
  expect(valueAt(head?.learningRate ?? 0, 5)).toBeCloseTo(0.5);
  expect(head?.plugins?.map(({ settings }) => settings?.maxNorm)).toEqual([2, 1]);
  expect(body).toMatchObject({ name: 'body', minRank: 2, learningRate: 0.2, plugins: [] });
  expect(body?.optimizer).toMatchObject({ name: 'sgd', settings: { momentum: 0.5 } });
});

test('without groups there is one chain and one optimizer', async () => {
  expect(await read({ plugin: ['l2'] })).toEqual({
    plugins: [expect.objectContaining({ name: 'l2' })],
    groups: [],
  });
});

test.each([
  [{ optimizer: ['sgd', 'adam'] }, 'Two optimizers are given for the same parameters'],
  [{ group: ['head:match=*'], optimizer: ['haed/sgd'] }, /No group is named "haed".*mean head/s],
  [
    { group: ['head:match=*,lr=1'], optimizer: ['head/sgd:lr=2'] },
    'The group head has two learning rates',
  ],
  [{ group: ['head:match=*,lr=1,learning-rate=2'] }, 'lr and learning-rate are the same'],
  [{ group: ['head:mach=*'] }, /head has no option "mach".*Did you mean match/s],
  [{ group: ['head:match'] }, /match of head is given no value/],
  [{ group: ['head:match=*,lr=-1'] }, /lr of head must be a number >= 0, or a schedule/],
  [{ group: ['head:match=*'], plugin: ['haed/l2'] }, /No group is named "haed".*mean head/s],
  [{ plugin: ['l2', 'some/file.js'] }, /No plugin is named "some\/file.js"/],
  [{ group: ['head:match=*'], plugin: ['head/norm-klip'] }, /named "norm-klip".*mean norm-clip/s],
])('refuses %o', async (flags, message) => {
  await expect(read(flags)).rejects.toThrow(message);
});
