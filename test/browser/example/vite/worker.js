import { TrainingSession } from '@gradware/core/web';
import { serveSession } from '@gradware/core/worker';
import { normClip } from '@gradware/plugin-norm-clip';

serveSession(({ model, maxNorm }) =>
  TrainingSession.create(model, {
    plugins: [normClip({ maxNorm })],
    learningRate: 5e-3,
  }),
);
