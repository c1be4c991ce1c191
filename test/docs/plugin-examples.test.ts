import { fileURLToPath } from 'node:url';
import { Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import type { TrainingSession } from '../../packages/core/src/node.js';
import { loadPlugins } from '../support/plugins.js';

// The example of every README, as it is written there, on the artifacts of models/digits.

const artifacts = fileURLToPath(new URL('../../models/digits/artifacts/cnn', import.meta.url));
const plugins = await loadPlugins();
const modules: Readonly<Record<string, unknown>> = {
  '@gradware/core': await import('../../packages/core/src/index.js'),
  '@gradware/core/node': await import('../../packages/core/src/node.js'),
  ...Object.fromEntries(
    plugins.map(({ name, factory, make }) => [`@gradware/plugin-${name}`, { [factory]: make }]),
  ),
};

function batchFor([image = '', labels = '']: readonly string[]) {
  return {
    [image]: new Tensor('float32', new Float32Array(8 * 64).fill(0.3), [8, 1, 8, 8]),
    [labels]: new Tensor('int64', new BigInt64Array(8), [8]),
  };
}

type Example = (known: typeof modules, batch: object, console: object) => Promise<TrainingSession>;

/** The lines of an example as a function that gives its session. */
function exampleOf(readme: string): Example {
  const [, code = ''] = /```ts\n(.+?)```/s.exec(readme) ?? [];
  const lines = code
    .replaceAll(/^import \{ (.+) \} from '(.+)';$/gm, "const { $1 } = known['$2'];")
    .replaceAll("'artifacts'", JSON.stringify(artifacts));
  const Async = Object.getPrototypeOf(async () => {}).constructor;
  return new Async('known', 'batch', 'console', `${lines}\nreturn session;`);
}

test.each(plugins)('the example in the README of $name runs', async ({ name, readme, factory }) => {
  expect(readme).toContain(`import { ${factory} } from '@gradware/plugin-${name}';`);
  const silent = { log: () => {} };
  // Artifacts of models/digits call their inputs so.
  const batch = batchFor(['image', 'labels']);
  const session = await exampleOf(readme)(modules, batch, silent);
  expect(session.trainingInputNames).toEqual(Object.keys(batch));
  const { loss } = await session.step(batch);
  expect(loss).toBeGreaterThan(0);
  await session.release();
});
