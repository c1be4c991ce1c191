// Bundles what pages without a bundler import: everything that Gradware needs is inside, but for ONNX Runtime. That is
// imported by <door>/ort.js alone, by the name that import maps know: where there are none, as in workers, one writes an
// address into that file.
import { readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const path = (name) => fileURLToPath(new URL(`../dist/${name}`, import.meta.url));
const { license, version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);
const doors = { web: 'onnxruntime-web/webgpu', wasm: 'onnxruntime-web/wasm' };

await rm(path('min'), { recursive: true, force: true });
/** What a page loads in any case: one file of it compresses better than thirty. */
function needed() {
  const ids = new Set();
  return (id, context) => {
    const add = (name) => {
      if (ids.has(name)) return;
      ids.add(name);
      for (const imported of context.getModuleInfo(name)?.importedIds ?? []) add(imported);
    };
    add('door');
    return ids.has(id) && id !== 'door' ? 'core' : null;
  };
}

for (const [door, runtime] of Object.entries(doors)) {
  const modules = [`${door}.js`, 'worker.js'].map(path);
  // Beside the chunks; the entry only names what these have.
  const ort = './ort.js';
  const bundle = await rolldown({
    input: { [door]: 'door' },
    platform: 'browser',
    // `onnxLoss` reads models at once: what other pages load when they need it is here anyway.
    checks: { ineffectiveDynamicImport: false },
    plugins: [
      {
        name: 'door',
        resolveId(id) {
          // The build of ONNX Runtime brings the very classes of onnxruntime-common along.
          if (id === runtime || id === 'onnxruntime-common') return { id: ort, external: true };
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
    codeSplitting: { groups: [{ name: needed(), debugName: 'core' }] },
  });
  await bundle.close();
  await writeFile(path(`min/${door}/ort.js`), `export * from '${runtime}';\n`);
}
