import { expect, test } from 'vitest';
import { container, nodeRuntime, RUNTIME } from '../../packages/core/src/node.js';
import type { GradientPlugin } from '../../packages/core/src/plugins/plugin.js';
import { lossScale, scaleBy, stopAt } from '../support/small-plugins.js';
import { batch, open } from '../support/small-session.js';

const broken: readonly (readonly [string, GradientPlugin, RegExp])[] = [
  [
    'forgets a gradient',
    { name: 'bad', transform: (g) => g.slice(1) },
    /one result for each of 3 gradients.*bad, number 1/s,
  ],
  [
    'changes a shape',
    { name: 'bad', transform: (g, { op }) => g.map((v) => op.sum(v)) },
    /returned float32\[\] for float32\[3,4\].*w1/s,
  ],
  [
    'throws',
    {
      name: 'bad',
      transform() {
        throw new Error('boom');
      },
    },
    /A plugin failed: boom.*bad, number 1/s,
  ],
];

for (const [title, plugin, message] of broken)
  test(`a plugin that ${title} is an error that names it and its place`, async () => {
    const session = await open({ plugins: [plugin] });
    await expect(session.step(batch(0))).rejects.toThrow(message);
  });

test('what can be known of a chain is known before training starts', async () => {
  await expect(open({ plugins: [{ ...scaleBy(1), include: 'w9' }] })).rejects.toThrow(
    /plugin scale, number 1 in the chain: "w9" matches no parameter.*Did you mean w1/s,
  );
  await expect(open({ plugins: [{ ...scaleBy(1), from: 5, until: 5 }] })).rejects.toThrow(
    /on none/,
  );
  await expect(open({ plugins: [lossScale({ exclude: 'w1' })] })).rejects.toThrow(
    /works on all parameters.*Leave out include and exclude/s,
  );
  const around: GradientPlugin = {
    ...scaleBy(1),
    ...{ name: 'around', exclude: 'b1', inside: [{ ...scaleBy(1), include: 'b1' }] },
  };
  await expect(open({ plugins: [around] })).rejects.toThrow(
    /plugin scale inside plugin around, number 1 in the chain: "b1" matches no parameter/,
  );
  const single: GradientPlugin = { ...scaleBy(1), single: true };
  await expect(open({ plugins: [single, stopAt(1), single] })).rejects.toThrow(
    /one scale only.*scale, number 3 in the chain.*the one at place 1/s,
  );
  const clip: GradientPlugin = { ...scaleBy(1), name: 'clip', role: 'clip' };
  const { warnings } = await open({ plugins: [clip, { ...scaleBy(1), role: 'guard' }] });
  expect(warnings).toEqual([
    expect.stringMatching(/^clip stands before scale: .*guard before clipping/),
  ]);
});

test('a model too large for the memory is refused with numbers', async () => {
  const small = container.createChildContainer();
  small.register(RUNTIME, { useValue: { ...nodeRuntime, availableMemory: () => 500 } });
  await expect(open({ container: small })).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' });
});

test('two plugins with one id are an error, the same plugin twice is not', async () => {
  await expect(
    open({
      plugins: [
        { ...scaleBy(1), id: 'a' },
        { ...scaleBy(1), id: 'a' },
      ],
    }),
  ).rejects.toThrow(/Two plugins have the id "a"/);
  const session = await open({ plugins: [lossScale(), lossScale()] });
  await session.step(batch(0));
});
