import { trainDigits } from '../train.js';

globalThis.start = (options) => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  return trainDigits(worker, options).finally(() => worker.terminate());
};
