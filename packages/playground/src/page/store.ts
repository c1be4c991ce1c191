import { computed, effect, signal } from '@preact/signals';
import type { Catalogue, OptionValue, PartChoice, PluginChoice } from '../shared/catalogue.js';
import {
  type Environment,
  type EpochPoint,
  type Histogram,
  type History,
  misfit,
  type OpenedRun,
  type Problem,
  type RunConfig,
  type StorageReport,
  type WorkerEvent,
} from '../shared/protocol.js';
import { connect, problemFrom } from './client.js';
import { createCurves } from './curves.js';
import { retract, say } from './notices.js';

/** What is chosen from lists, where one entry may be refused. */
type Chosen = Pick<RunConfig, 'model' | 'data' | 'provider'> & {
  readonly ownModel: string | undefined;
  readonly ownData: string | undefined;
};

const firstConfig: RunConfig = {
  model: 'cnn',
  data: 'digits',
  provider: 'auto',
  optimizer: { name: 'adamw', options: {} },
  learningRate: 0.005,
  chain: [
    { key: 'first', name: 'skip-nonfinite', options: {} },
    { key: 'second', name: 'norm-clip', options: { maxNorm: 1 } },
  ],
  batchSize: 32,
  epochs: 12,
  seed: 1,
  watch: true,
};

export const catalogue = signal<Catalogue>({ plugins: [], optimizers: [] });
export const environment = signal<Environment | undefined>(undefined);
export const storage = signal<StorageReport>({ refused: undefined, saved: false });
/** What the controls say. */
export const config = signal<RunConfig>(firstConfig);
/** What the worker has opened for it. */
export const opened = signal<OpenedRun | undefined>(undefined);
/** What that was made from. */
const applied = signal<Chosen | undefined>(undefined);
/** Why the worker could not open what the controls say. */
export const refused = signal<Problem | undefined>(undefined);
const busy = signal(true);
export const running = signal(false);
export const finished = signal(false);
/** Whether training has begun and no step is done: it is being compiled. */
export const compiling = signal(false);
export const step = signal(0);
export const epoch = signal(0);
export const stepMs = signal<number | undefined>(undefined);
export const lastEpoch = signal<EpochPoint | undefined>(undefined);
export const metrics = signal<Readonly<Record<string, number>>>({});
export const histogram = signal<Histogram | undefined>(undefined);
export const looksAt = signal<string | undefined>(undefined);
export const savedAt = signal<number | undefined>(undefined);
export const ownModel = signal<string | undefined>(undefined);
export const ownData = signal<string | undefined>(undefined);
/** Curves grow in place; this counts how often they did. */
export const drawn = signal(0);
export const curves = createCurves();

export const canTrain = computed(() => opened.value !== undefined && !busy.value);

function onEvent(event: WorkerEvent): void {
  switch (event.type) {
    case 'steps':
      compiling.value = false;
      step.value = event.step;
      epoch.value = event.epoch;
      stepMs.value = event.stepMs;
      metrics.value = event.metrics;
      curves.addSteps(event);
      drawn.value++;
      return;
    case 'epoch':
      lastEpoch.value = event.point;
      epoch.value = event.point.epoch + 1;
      curves.addEpoch(event.point);
      drawn.value++;
      return;
    case 'histogram':
      histogram.value = event.histogram;
      return;
    case 'running':
      running.value = event.running;
      compiling.value = event.running;
      finished.value = event.finished;
      return;
    case 'saved':
      savedAt.value = event.at;
      return;
    case 'reopened':
      showOpened(event.opened);
      showHistory(event.history);
      config.value = { ...config.value, provider: event.opened.provider };
      applied.value = chosenBy(config.value);
      return;
    case 'notice':
      say(event.tone, event.text);
      return;
    case 'problem':
      say('error', event.problem.message, event.problem.remedy);
  }
}

export const worker = connect(onEvent);

function showHistory(history: History): void {
  curves.load(history);
  lastEpoch.value = history.epochs.at(-1);
  drawn.value++;
}

function chosenBy({ model, data, provider }: RunConfig): Chosen {
  return { model, data, provider, ownModel: ownModel.value, ownData: ownData.value };
}

/** Whether the run that is open is of the model and the data that the lists show. */
export const showsRun = computed(() => {
  const [run, now] = [applied.value, chosenBy(config.value)];
  return (
    run === undefined ||
    (run.model === now.model &&
      run.data === now.data &&
      run.ownModel === now.ownModel &&
      run.ownData === now.ownData)
  );
});

/** Lists show what is there again. @returns whether they showed something else */
function unchoose(): boolean {
  const run = applied.value;
  if (run === undefined || (showsRun.value && run.provider === config.value.provider)) return false;
  const { model, data, provider } = run;
  config.value = { ...config.value, model, data, provider };
  ownModel.value = run.ownModel;
  ownData.value = run.ownData;
  return true;
}

function showOpened(run: OpenedRun): void {
  opened.value = run;
  step.value = run.step;
  epoch.value = run.epoch;
}

/** Runs something, and says what went wrong. */
export async function attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { message, remedy } = problemFrom(error);
    say('error', message, remedy);
    return undefined;
  }
}

function clear(): void {
  curves.clear();
  drawn.value++;
  histogram.value = undefined;
  lastEpoch.value = undefined;
  metrics.value = {};
  stepMs.value = undefined;
  finished.value = false;
}

/** What a refusal begins with. */
export const notApplied = 'Not applied.';

let wanted = 0;

/** Makes the run be as the controls say. Of several changes in a row only the last is waited for. */
export async function apply(next: RunConfig, fresh = false): Promise<void> {
  const old = config.value;
  const choice = chosenBy(next);
  config.value = next;
  const turn = ++wanted;
  busy.value = true;
  try {
    const starts = fresh || opened.value === undefined || old.model !== next.model;
    const run = await worker.configure(next, starts);
    if (starts) clear();
    showOpened(run);
    applied.value = choice;
    if (turn !== wanted) return;
    refused.value = undefined;
    retract(notApplied);
  } catch (error) {
    if (turn === wanted) refuse(problemFrom(error));
  } finally {
    if (turn === wanted) busy.value = false;
  }
}

/** What is chosen from a list goes back to what it was; but data may be waiting for the model that it fits. */
function refuse(problem: Problem): void {
  if (problem.code !== misfit && unchoose())
    say('error', `${notApplied} ${problem.message}`, problem.remedy);
  else refused.value = problem;
}

export const change = (part: Partial<RunConfig>) => apply({ ...config.value, ...part });

export const changeChain = (chain: readonly PluginChoice[]) => change({ chain });

export function setOption<P extends PartChoice>(
  part: P,
  name: string,
  value: OptionValue | undefined,
): P {
  const { [name]: _, ...rest } = part.options;
  return { ...part, options: value === undefined ? rest : { ...rest, [name]: value } };
}

/** Goes on with the run that was kept here, or opens a new one. */
export async function begin(): Promise<void> {
  const started = await attempt(() => worker.start());
  if (started === undefined) {
    busy.value = false;
    return;
  }
  catalogue.value = started.catalogue;
  environment.value = started.environment;
  storage.value = started.storage;
  if (started.storage.refused !== undefined) say('info', started.storage.refused);
  if (started.storage.saved && (await resume())) return;
  await apply(config.value, true);
}

/** @returns whether there was a run to go on with */
async function resume(): Promise<boolean> {
  busy.value = true;
  // Before: the worker sends the histogram on its way back.
  clear();
  const saved = await attempt(() => worker.restore());
  busy.value = false;
  if (saved === undefined) return false;
  config.value = saved.config;
  if (saved.config.model === 'own') ownModel.value = saved.opened.modelName;
  if (saved.config.data === 'own') ownData.value = saved.opened.dataName;
  applied.value = chosenBy(config.value);
  showOpened(saved.opened);
  showHistory(saved.history);
  savedAt.value = saved.savedAt;
  const ago = Math.round((Date.now() - saved.savedAt) / 60_000);
  const when = ago < 1 ? 'just now' : `${ago} min ago`;
  say('info', `Resumed at step ${saved.opened.step}, saved ${when}.`);
  return true;
}

effect(() => {
  document.documentElement.dataset.running = String(running.value);
});
