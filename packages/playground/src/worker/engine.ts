import type { Requests, WorkerEvent } from '../shared/protocol.js';
import { catalogue } from './catalogue.js';
import { configure } from './configure.js';
import { checkpointOf, createDesk, demandRun } from './desk.js';
import { createKeeper } from './keep.js';
import { exampleOf, predict } from './predict.js';
import { prepareRuntime, reportGpu } from './runtime.js';
import { ownData, ownModel, sortFiles } from './sources.js';
import { openStorage } from './storage.js';
import { createTraining } from './training.js';
import { createTurns } from './turns.js';
import { createWatch } from './watch.js';

/** Everything that the page may ask for; one thing at a time, in order. */
export function createEngine(emit: (event: WorkerEvent) => void): Requests {
  const desk = createDesk(emit);
  const turns = createTurns();
  const keeper = createKeeper(desk);
  const watch = createWatch(desk);
  const training = createTraining(desk, keeper, watch, turns);

  const fileName = (what: string) =>
    demandRun(desk)
      .opened.modelName.toLowerCase()
      .replace(/\.onnx$/, '')
      .replace(/[^a-z0-9]+/g, '-')
      .concat(what);

  const requests: Requests = {
    start: async () => {
      const environment = { ...prepareRuntime(), gpu: await reportGpu() };
      const storage = await openStorage();
      Object.assign(desk, { environment, storage });
      const refused = typeof storage === 'string' ? storage : undefined;
      const saved = typeof storage !== 'string' && (await storage.read()) !== undefined;
      return { catalogue: catalogue(), environment, storage: { refused, saved } };
    },
    configure: (config, fresh) => configure(desk, training, config, fresh),
    train: async () => training.start(),
    pause: async () => {
      await training.stop();
    },
    look: async (parameter) => {
      watch.choose(parameter);
      if (!training.isRunning()) await watch.look(true);
    },
    predict: async (pixels) => predict(demandRun(desk), pixels),
    example: async (index) => exampleOf(demandRun(desk), index),
    take: async (files) => {
      const sorted = sortFiles(files);
      const model = sorted.model.length > 0 ? ownModel(sorted.model).name : undefined;
      const data = sorted.data.length > 0 ? ownData(sorted.data).name : undefined;
      desk.own = {
        model: model === undefined ? desk.own.model : sorted.model,
        data: data === undefined ? desk.own.data : sorted.data,
      };
      return { model, data };
    },
    save: keeper.save,
    restore: async () => {
      await training.stop();
      const restored = await keeper.restore();
      if (restored !== undefined) await watch.look(true);
      return restored;
    },
    forget: keeper.forget,
    exportModel: async () => ({
      name: fileName('-trained.onnx'),
      bytes: new Uint8Array(await demandRun(desk).session.exportModel()),
    }),
    exportCheckpoint: async () => ({
      name: fileName('-checkpoint.safetensors'),
      bytes: await checkpointOf(demandRun(desk)),
    }),
  };
  const entries = Object.entries(requests).map(([name, method]) => [
    name,
    (...given: readonly unknown[]) =>
      turns(() =>
        training.withDevice(() =>
          (method as (...given: readonly unknown[]) => Promise<unknown>)(...given),
        ),
      ),
  ]);
  return Object.fromEntries(entries) as unknown as Requests;
}
