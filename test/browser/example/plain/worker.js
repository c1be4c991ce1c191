// Workers know no import maps: addresses in full.
import { normClip } from '/cdn/norm-clip.js';
import { env, TrainingSession } from '/cdn/web.js';
import { serveSession } from '/cdn/worker.js';

env.wasm.wasmPaths = '/ort/';

serveSession(({ model, maxNorm }) =>
  TrainingSession.create(model, {
    plugins: [normClip({ maxNorm })],
    learningRate: 5e-3,
  }),
);
