// Runs a model that the test sends, on onnxruntime-web. Tensors come and go as base64.
const builds = {
  webgpu: '/ort/ort.webgpu.bundle.min.mjs',
  wasm: '/ort/ort.wasm.bundle.min.mjs',
};

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int16: Int16Array,
  uint16: Uint16Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function textOf({ buffer, byteOffset, byteLength }) {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192)
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

async function run(provider, model, feeds) {
  const ort = await import(builds[provider]);
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytesOf(model), {
    executionProviders: [provider],
    logSeverityLevel: 4,
    extra: provider === 'wasm' ? {} : { session: { disable_cpu_ep_fallback: '1' } },
  });
  try {
    const tensors = feeds.map(([name, { type, dims, data }]) => {
      const bytes = bytesOf(data);
      return [name, new ort.Tensor(type, new arrays[type](bytes.buffer), dims)];
    });
    const results = await session.run(Object.fromEntries(tensors));
    return Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { type, dims: [...dims], data: textOf(data) },
    ]);
  } finally {
    await session.release();
  }
}

globalThis.run = run;
