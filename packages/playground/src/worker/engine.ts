import { GradwareError, type Position } from '@gradware/core';
import type {
  Environment,
  NamedFile,
  OpenedRun,
  Requests,
  RunConfig,
  SavedRun,
  WorkerEvent,
} from '../shared/protocol.js';
import { catalogue } from './catalogue.js';
import { floatsIn, withoutTensors } from './checkpoint-tensors.js';
import { histogramOf } from './histogram.js';
import { createRecorder, emptyHistory } from './history.js';
import { openRun, type Run } from './open-run.js';
import { readSetting } from './parts.js';
import { exampleOf, predict } from './predict.js';
import { seenKey } from './probe.js';
import { problemOf } from './problem.js';
import { prepareRuntime, reportGpu } from './runtime.js';
import { fromStored, toStored } from './saves.js';
import { builtInData, builtInModel, ownData, ownModel, sortFiles } from './sources.js';
import { openStorage, type Storage } from './storage.js';
import { liveValues, staleState, structureOf } from './structure.js';
import { trainingLoop } from './training-loop.js';

/** Milliseconds between two histograms. */
const lookEvery = 400;
/** Own files beyond this are not kept with the run. */
const mostKeptBytes = 64 * 2 ** 20;

interface Training {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/** Everything that the page may ask for; one thing at a time, in order. */
export function createEngine(emit: (event: WorkerEvent) => void): Requests {
  const recorder = createRecorder();
  let environment: Environment | undefined;
  let storage: Storage | string = 'Runs are not kept yet.';
  let run: Run | undefined;
  let training: Training | undefined;
  let position: Position = { epoch: 0, batch: 0 };
  let own: { readonly model: readonly NamedFile[]; readonly data: readonly NamedFile[] } = {
    model: [],
    data: [],
  };
  let looksAt: string | undefined;
  let lastLook = 0;
  /** The last state that came to the host: what a lost GPU leaves. */
  let backup:
    | { readonly checkpoint: Uint8Array<ArrayBuffer>; readonly position: Position }
    | undefined;
  let tail: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = tail.then(work);
    tail = result.catch(() => undefined);
    return result;
  }

  function demandRun(): Run {
    if (run !== undefined) return run;
    throw new GradwareError('RUNTIME', 'There is no model to train yet');
  }

  async function open(config: RunConfig): Promise<Run> {
    const model = config.model === 'own' ? ownModel(own.model) : await builtInModel(config.model);
    const data = config.data === 'own' ? ownData(own.data) : await builtInData();
    const gpu = environment?.gpu ?? { usable: false, reason: 'it was not looked for' };
    return openRun(config, model, data, gpu);
  }

  async function checkpointOf({ session }: Run): Promise<Uint8Array<ArrayBuffer>> {
    return new Uint8Array(await session.checkpoint());
  }

  /** A new session that goes on where the old one stands. */
  async function reopen(config: RunConfig, old: Run): Promise<Run> {
    const next = await open(config);
    try {
      const checkpoint = await checkpointOf(old);
      await next.session.loadCheckpoint(withoutTensors(checkpoint, staleState(old.config, config)));
    } catch (error) {
      await next.session.release();
      throw error;
    }
    await old.session.release();
    return next;
  }

  async function look(force: boolean): Promise<void> {
    const { config, session } = demandRun();
    if (!config.watch || (!force && performance.now() - lastLook < lookEvery)) return;
    const checkpoint = await checkpointOf(demandRun());
    backup = { checkpoint, position };
    const names = looksAt === undefined ? session.trainableNames : [looksAt];
    const seen = (side: 'before' | 'after') =>
      floatsIn(
        checkpoint,
        names.map((name) => seenKey(side, name)),
      ).values();
    emit({ type: 'histogram', histogram: histogramOf(seen('before'), seen('after')) });
    lastLook = performance.now();
  }

  async function save(): Promise<number> {
    const current = demandRun();
    if (typeof storage === 'string')
      throw new GradwareError('FILE', storage, { remedy: 'Download the checkpoint instead.' });
    const { config } = current;
    const files = (use: boolean, list: readonly NamedFile[]) => (use ? list : []);
    const modelFiles = files(config.model === 'own', own.model);
    const dataFiles = files(config.data === 'own', own.data);
    const bytes = [...modelFiles, ...dataFiles].reduce(
      (sum, file) => sum + file.bytes.byteLength,
      0,
    );
    if (bytes > mostKeptBytes)
      throw new GradwareError('FILE', 'Your own files are too large to be kept with the run', {
        remedy: 'Download the checkpoint instead.',
      });
    const checkpoint = await checkpointOf(current);
    backup = { checkpoint, position };
    const savedAt = Date.now();
    const history = recorder.read();
    const opened = current.opened;
    await storage.write(
      toStored({ config, opened, history, position, savedAt, checkpoint, modelFiles, dataFiles }),
    );
    emit({ type: 'saved', at: savedAt });
    return savedAt;
  }

  /** Saves unasked: where it cannot, that has been said already, or is said once here. */
  let complained = false;
  async function autosave(): Promise<void> {
    if (typeof storage === 'string' || run === undefined) return;
    try {
      await save();
    } catch (error) {
      if (!complained) emit({ type: 'notice', tone: 'warning', text: problemOf(error).message });
      complained = true;
    }
  }

  async function stop(): Promise<boolean> {
    if (training === undefined) return false;
    const { done, stop: controller } = training;
    controller.abort();
    await done;
    return true;
  }

  function start(): void {
    const current = demandRun();
    const controller = new AbortController();
    emit({ type: 'running', running: true, finished: false });
    const done = trainingLoop({
      run: current,
      start: position,
      signal: controller.signal,
      onSteps: async (event, reached) => {
        position = reached;
        recorder.add(event.step, event.losses, event.before, event.after);
        emit(event);
        await look(false);
      },
      onEpoch: async (point, reached) => {
        position = reached;
        recorder.addEpoch(point);
        emit({ type: 'epoch', point });
        await autosave();
      },
    }).then(
      () => ended(true),
      (error) => failed(error, current),
    );
    training = { stop: controller, done };
  }

  async function ended(finished: boolean): Promise<void> {
    training = undefined;
    await look(true).catch(() => undefined);
    if (!finished) await autosave();
    emit({ type: 'running', running: false, finished });
  }

  async function failed(error: unknown, broken: Run): Promise<void> {
    if (error instanceof GradwareError && error.code === 'ABORTED') return ended(false);
    training = undefined;
    emit({ type: 'running', running: false, finished: false });
    const problem = problemOf(error);
    const recoverable = broken.session.provider === 'webgpu' && problem.code === 'RUNTIME';
    // Not waited for: what waits for the end of training may stand in its way.
    if (recoverable && backup !== undefined) void recover(problem.message, broken, backup);
    else emit({ type: 'problem', problem });
  }

  /** Goes on, from the last state that came to the host, with whatever works now. */
  async function recover(
    reason: string,
    broken: Run,
    { checkpoint, position: reached }: NonNullable<typeof backup>,
  ): Promise<void> {
    await inTurn(async () => {
      await broken.session.release().catch(() => undefined);
      const config = { ...broken.config, provider: 'wasm' as const };
      run = await open(config);
      await run.session.loadCheckpoint(checkpoint);
      position = reached;
      emit({ type: 'reopened', opened: describeRun(run) });
      emit({
        type: 'notice',
        tone: 'warning',
        text: `The GPU was lost (${reason}). Training went on from step ${run.session.stepCount} on wasm.`,
      });
      start();
    }).catch((error) => emit({ type: 'problem', problem: problemOf(error) }));
  }

  function describeRun({ opened, session }: Run): OpenedRun {
    return { ...opened, step: session.stepCount, epoch: position.epoch };
  }

  function applyLive(current: Run, config: RunConfig): Run {
    const known = liveValues(current.config);
    for (const [name, value] of liveValues(config))
      if (known.get(name) !== value) current.session.settings.set(name, readSetting(value));
    return { ...current, config };
  }

  async function configure(config: RunConfig, fresh: boolean): Promise<OpenedRun> {
    const old = run;
    const sameStructure = old !== undefined && structureOf(old.config) === structureOf(config);
    const restarts =
      old?.config.batchSize !== config.batchSize || old.config.epochs !== config.epochs;
    if (old !== undefined && !fresh && sameStructure && !restarts) {
      run = applyLive(old, config);
      return describeRun(run);
    }
    const wasRunning = await stop();
    try {
      const goesOn = old !== undefined && !fresh && old.config.model === config.model;
      if (goesOn && sameStructure) run = applyLive(old, config);
      else if (goesOn) run = await reopen(config, old);
      else {
        run = await open(config);
        await old?.session.release();
        position = { epoch: 0, batch: 0 };
        recorder.write(emptyHistory);
        backup = undefined;
      }
      // Batches are counted in another size, or drawn from other data.
      if (old?.config.batchSize !== config.batchSize || old?.config.data !== config.data)
        position = { epoch: position.epoch, batch: 0 };
    } finally {
      if (wasRunning && !fresh) start();
    }
    return describeRun(demandRun());
  }

  async function restore(): Promise<SavedRun | undefined> {
    if (typeof storage === 'string') return undefined;
    const found = await storage.read();
    if (found === undefined) return undefined;
    const {
      config,
      history,
      position: reached,
      savedAt,
      checkpoint,
      ...files
    } = fromStored(found.stored);
    await stop();
    own = { model: files.modelFiles, data: files.dataFiles };
    const next = await open(config);
    try {
      await next.session.loadCheckpoint(checkpoint);
    } catch (error) {
      await next.session.release();
      throw error;
    }
    await run?.session.release();
    run = next;
    position = reached;
    recorder.write(history);
    backup = { checkpoint, position };
    if (found.torn)
      emit({
        type: 'notice',
        tone: 'warning',
        text: 'The tab was closed while it was saving. This is the save before that one, whole.',
      });
    await look(true);
    return { config, opened: describeRun(next), history, savedAt };
  }

  const fileName = (what: string) =>
    demandRun()
      .opened.modelName.toLowerCase()
      .replace(/\.onnx$/, '')
      .replace(/[^a-z0-9]+/g, '-')
      .concat(what);

  const requests: Requests = {
    start: async () => {
      environment = { ...prepareRuntime(), gpu: await reportGpu() };
      storage = await openStorage();
      const refused = typeof storage === 'string' ? storage : undefined;
      const saved = typeof storage !== 'string' && (await storage.read()) !== undefined;
      return { catalogue: catalogue(), environment, storage: { refused, saved } };
    },
    configure,
    train: async () => {
      if (training === undefined) start();
    },
    pause: async () => {
      await stop();
    },
    look: async (parameter) => {
      looksAt = parameter;
      if (training === undefined) await look(true);
    },
    predict: async (pixels) => predict(demandRun(), pixels),
    example: async (index) => exampleOf(demandRun(), index),
    take: async (files) => {
      const sorted = sortFiles(files);
      const model = sorted.model.length > 0 ? ownModel(sorted.model).name : undefined;
      const data = sorted.data.length > 0 ? ownData(sorted.data).name : undefined;
      own = {
        model: model === undefined ? own.model : sorted.model,
        data: data === undefined ? own.data : sorted.data,
      };
      return { model, data };
    },
    save,
    restore,
    forget: async () => {
      if (typeof storage !== 'string') await storage.clear();
    },
    exportModel: async () => ({
      name: fileName('-trained.onnx'),
      bytes: new Uint8Array(await demandRun().session.exportModel()),
    }),
    exportCheckpoint: async () => ({
      name: fileName('-checkpoint.safetensors'),
      bytes: await checkpointOf(demandRun()),
    }),
  };
  return inOrder(requests, inTurn);
}

/** The same requests, each begun when the one before is done. */
function inOrder(requests: Requests, inTurn: <T>(work: () => Promise<T>) => Promise<T>): Requests {
  const entries = Object.entries(requests).map(([name, method]) => [
    name,
    (...given: readonly unknown[]) =>
      inTurn(() => (method as (...given: readonly unknown[]) => Promise<unknown>)(...given)),
  ]);
  return Object.fromEntries(entries) as unknown as Requests;
}
