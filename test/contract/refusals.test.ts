import { expect, test } from 'vitest';
import type { Value } from '../../packages/core/src/graph/value.js';
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
  [
    'promises its gradients',
    { name: 'bad', transform: (async (g: readonly Value[]) => g) as never },
    /returned a promise.*bad, number 1.*transformHost/s,
  ],
  [
    'returns a value of its own making',
    { name: 'bad', transform: (g) => g.map((v) => ({ ...v, name: 'elsewhere' })) },
    /"elsewhere", which is no value of this step.*bad, number 1.*w1/s,
  ],
  [
    'reports more than one number',
    {
      name: 'bad',
      transform(g, { metric }) {
        metric('all', g[0] as Value);
        return g;
      },
    },
    /metric "all" must be one number, not float32\[3,4\].*bad, number 1/s,
  ],
  [
    'throws on the host',
    { name: 'bad', transformHost: () => Promise.reject(new Error('boom')) },
    /A plugin failed: boom.*bad, number 1/s,
  ],
  [
    'forgets a gradient on the host',
    { name: 'bad', transformHost: (g) => g.slice(1) },
    /one result for each of 3 gradients, and returned 2.*bad, number 1/s,
  ],
  [
    'forgets all of them on the host',
    { name: 'bad', transformHost: (() => {}) as never },
    /returned nothing.*bad, number 1.*Return the list/s,
  ],
  [
    'changes a type on the host',
    {
      name: 'bad',
      transformHost: (g) =>
        g.map((v) => ({ ...v, data: new Float64Array(v.data.length) as never })),
    },
    /a Float32Array of 12 numbers here, not Float64Array of 12.*bad, number 1.*w1/s,
  ],
  [
    'changes the order on the host',
    { name: 'bad', transformHost: ([a, b, c]) => [a, { ...b, parameter: 'w2' }, c] as never },
    /the gradient of w2 here.*bad, number 1.*b1.*order/s,
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
  await expect(open({ plugins: [{ ...scaleBy(1), include: 'x*' }] })).rejects.toThrow(
    /"x\*" matches no parameter.*The parameters are/s,
  );
  const failing = () => {
    throw new Error('boom');
  };
  await expect(open({ plugins: [{ ...scaleBy(1), include: failing }] })).rejects.toThrow(
    /scale, number 1 in the chain: the function that chooses parameters failed for w1: boom/,
  );
  await expect(open({ plugins: [{ ...scaleBy(1), exclude: 3 as never }] })).rejects.toThrow(
    /scale, number 1 in the chain: a pattern must be a name, a glob or a function, not 3/,
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

test.each<readonly [object, RegExp]>([
  [
    { transfrom: () => [] },
    /has no hook, and does nothing.*Did you mean transform, not transfrom/s,
  ],
  [{}, /has no hook.*Give it one of seed, transform/s],
  [{ transform: 3 }, /transform is no function/],
  [{ encode: () => ({}) }, /encodes gradients, and does not decode them.*a transform/s],
  [{ decode: () => 0 }, /decodes gradients that it does not encode/],
])('hooks that cannot be meant are found before training starts: %o', async (hooks, message) => {
  const plugin = { name: 'bad', ...hooks } as GradientPlugin;
  await expect(open({ plugins: [plugin] })).rejects.toThrow(message);
  const around = { ...scaleBy(1), name: 'around', inside: [plugin] };
  await expect(open({ plugins: [around] })).rejects.toThrow(
    /bad inside plugin around, number 1 in the chain/,
  );
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
