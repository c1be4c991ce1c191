// What a server puts into a worker: the session with its plugins, made from what the main thread asks for.
import { sgd } from '@gradware/core';
import { TrainingSession } from '@gradware/core/node';
import { serveSession } from '@gradware/core/worker';
import { normClip } from '@gradware/plugin-norm-clip';

serveSession(({ model, maxNorm, fails }) => {
  if (fails) process.exit(3);
  return TrainingSession.create(model, {
    plugins: [normClip({ maxNorm })],
    optimizer: sgd(),
    learningRate: 0.05,
  });
});
