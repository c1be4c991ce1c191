// Runs models that the parent process sends, on one provider of ONNX Runtime: a GPU's driver keeps its memory for as
// long as the process lives, and what aborts takes only this process with it.
import { createRequire } from 'node:module';

const [provider] = process.argv.slice(2);
// Required, not imported: the modules of onnxruntime-web are for browsers and bundlers.
const ort = createRequire(import.meta.url)(
  provider === 'wasm' ? 'onnxruntime-web/wasm' : 'onnxruntime-node',
);
if (provider === 'wasm') ort.env.wasm.numThreads = 1;

/** Providers that nothing can fall back from. */
const processors = ['cpu', 'wasm'];

async function run({ model, feeds }) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [provider],
    logSeverityLevel: 4,
    extra: processors.includes(provider) ? {} : { session: { disable_cpu_ep_fallback: '1' } },
  });
  try {
    const tensors = feeds.map(([name, { type, dims, data }]) => [
      name,
      new ort.Tensor(type, data, dims),
    ]);
    const results = await session.run(Object.fromEntries(tensors));
    return Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { type, dims: [...dims], data },
    ]);
  } finally {
    await session.release();
  }
}

process.on('message', async (job) => {
  try {
    process.send({ results: await run(job), memory: process.memoryUsage.rss() });
  } catch (error) {
    process.send({ error: String(error?.message ?? error), memory: process.memoryUsage.rss() });
  }
});
