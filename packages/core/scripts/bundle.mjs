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
/** What is loaded by forward models and by training artifacts. */
const sources = ['forward', 'artifacts'].map((kind) => path(`training/source/source-${kind}.js`));

/** What a page loads in any case, and what it loads beside it for either kind of source: one file of each compresses
 *  better than thirty. */
function needed() {
  let known;
  const reachedFrom = (start, context) => {
    const ids = new Set();
    const add = (name) => {
      if (ids.has(name)) return;
      ids.add(name);
      for (const imported of context.getModuleInfo(name)?.importedIds ?? []) add(imported);
    };
    add(start);
    ids.delete(start);
    return ids;
  };
  return (id, context) => {
    known ??= ['door', ...sources].map((start) => reachedFrom(start, context));
    const [core, ...others] = known;
    if (core.has(id)) return 'core';
    return others.every((ids) => ids.has(id)) ? 'source' : null;
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
    codeSplitting: { groups: [{ name: needed(), debugName: 'needed' }] },
  });
  await bundle.close();
  await writeFile(path(`min/${door}/ort.js`), `export * from '${runtime}';\n`);
}
