// Bundles what pages without a bundler import: everything that Gradware needs is inside, but for ONNX Runtime, which the
// import map of the page points to.
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
const { license, version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);
const doors = { web: 'onnxruntime-web/webgpu', wasm: 'onnxruntime-web/wasm' };

await rm(path('min'), { recursive: true, force: true });
for (const [door, runtime] of Object.entries(doors)) {
  const modules = [`${door}.js`, 'worker.js'].map(path);
  const bundle = await rolldown({
    input: { [door]: 'door' },
    external: [runtime],
    platform: 'browser',
    plugins: [
      {
        name: 'door',
        resolveId(id) {
          // The build of ONNX Runtime brings the very classes of onnxruntime-common along.
          if (id === 'onnxruntime-common') return { id: runtime, external: true };
          return id === 'door' ? id : null;
        },
        load: (id) =>
          id === 'door'
            ? modules.map((module) => `export * from ${JSON.stringify(module)};`).join('\n')
            : null,
      },
    ],
  });
  await bundle.write({
    dir: path('min'),
    format: 'es',
    minify: true,
    comments: { legal: false, annotation: false, jsdoc: false },
    banner: `/*! @gradware/core ${version}, ${license} */`,
    entryFileNames: '[name].js',
    chunkFileNames: `${door}/[name].js`,
    sourcemap: true,
  });
  await bundle.close();
}
