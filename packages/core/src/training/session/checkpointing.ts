import type { OptimizerState } from '../../artifacts/ort-checkpoint.js';
import { encodeTrainingState, type TrainingState } from '../../artifacts/training-state.js';
import { GradwareError } from '../../errors.js';
import { tensorOf } from '../../graph/constants.js';
import type { DataType, TensorData } from '../../onnx/ir.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor } from '../../runtime/tensors.js';
import type { ParameterGroup } from '../../step/groups.js';
import type { CheckpointState, SaveOptions, TrainingSession } from '../api.js';
import { stateByGroup } from '../execution/groups.js';
import type { ParameterAccess } from '../execution/parameters.js';
import type { StateStore } from '../execution/state-store.js';
import type { ModelSource } from '../source/source.js';
import type { ProgressKeeper } from './progress.js';
import type { Queue } from './queue.js';

interface CheckpointParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly store: StateStore;
  readonly parameters: ParameterAccess;
  readonly queue: Pick<Queue, 'add'>;
  readonly groups: readonly ParameterGroup[];
  readonly learningRate: () => number;
  readonly progress: Pick<ProgressKeeper, 'read' | 'write'>;
}

const momentumKey = /^optimizer\/(momentum\d+)\/(.+)$/s;

/** Saving a session and going on from what was saved. */
export function checkpointing(
  parts: CheckpointParts,
): Pick<TrainingSession, 'checkpoint' | 'saveCheckpoint' | 'loadCheckpoint'> {
  const { runtime, source, store, parameters, queue, groups, progress } = parts;

  async function encode({
    format = 'gradware',
    metadata = {},
    includeOptimizerState = true,
    properties = progress.read().properties,
  }: SaveOptions): Promise<Uint8Array> {
    parameters.demandValues();
    refuseNonFinite();
    const { step, seed } = progress.read();
    // Gradients of a step in progress are no part of a checkpoint, as in ORT.
    const tensors = new Map([...store.snapshot()].filter(([key]) => !key.startsWith('gradient/')));
    checkProperties(properties);
    if (format === 'gradware')
      return encodeTrainingState({ step, seed, tensors, metadata, properties });
    if (format !== 'ort')
      throw new GradwareError('INVALID_OPTION', `There is no format "${format}"`, {
        remedy: 'There are gradware and ort.',
      });
    if (includeOptimizerState) refuseGroups();
    const named = (names: readonly string[]) =>
      new Map(names.map((name) => [name, fromTensor(parameters.get(name))]));
    // Few pages write them: what they need is loaded then.
    const { writeOrtCheckpoint } = await import('../../artifacts/write-ort-checkpoint.js');
    return writeOrtCheckpoint({
      trainable: named(source.trainable),
      frozen: named([...source.frozen, ...source.statistics]),
      nominal: false,
      optimizer: includeOptimizerState ? optimizerState(tensors) : undefined,
      properties: new Map(Object.entries(properties)),
    });
  }

  /** ORT knows one optimizer only. */
  function refuseGroups(): void {
    if (groups.length === 1 && groups[0]?.name === '') return;
    throw new GradwareError(
      'UNSUPPORTED',
      "ONNX Runtime's checkpoint has room for one optimizer, and the session has groups",
      {
        where: `groups ${groups.map(({ name }) => name || '(the rest)').join(', ')}`,
        remedy: "Save with includeOptimizerState: false, or in the format 'gradware'.",
      },
    );
  }

  function optimizerState(tensors: ReadonlyMap<string, TensorData>): OptimizerState {
    const momentums = new Map<string, Map<string, TensorData>>();
    for (const [key, tensor] of tensors) {
      const [, momentum = '', parameter = ''] = momentumKey.exec(key) ?? [];
      if (parameter === '') continue;
      const own = momentums.get(parameter) ?? new Map<string, TensorData>();
      momentums.set(parameter, own.set(momentum, tensor));
    }
    const step = Number(tensors.get('optimizer/count')?.data[0] ?? 0);
    return { step, initialLearningRate: parts.learningRate(), momentums };
  }

  function refuseNonFinite(): void {
    for (const name of source.trainable) {
      const { data, type } = fromTensor(parameters.get(name));
      if (type !== 'float32' && type !== 'float64') continue;
      if ((data as Float32Array).every(Number.isFinite)) continue;
      throw new GradwareError(
        'NONFINITE_LOSS',
        `The parameter "${name}" is not finite: it is not saved`,
        {
          remedy:
            'Go on from the last checkpoint, with a guard (skip-nonfinite) or a clip in the chain.',
        },
      );
    }
  }

  function restore(state: TrainingState, file: string): void {
    for (const [name, { type, dims }] of source.parameters) {
      const kind = source.statistics.includes(name) ? 'statistic' : 'parameter';
      const tensor = state.tensors.get(`${kind}/${name}`);
      if (tensor === undefined) refuse(`The checkpoint has no ${kind} "${name}"`, file);
      else if (tensor.type !== type || `${tensor.dims}` !== `${dims}`)
        refuse(
          `The checkpoint has ${tensor.type}[${tensor.dims}] for the ${kind} "${name}", the model ${type}[${dims}]`,
          file,
        );
    }
    for (const [key, { dims }] of state.tensors) {
      const [, momentum, parameter = ''] = momentumKey.exec(key) ?? [];
      const wanted = source.parameters.get(parameter)?.dims;
      if (momentum !== undefined && wanted !== undefined && `${dims}` !== `${wanted}`)
        refuse(`The checkpoint has ${key} as [${dims}], and the parameter is [${wanted}]`, file);
    }
    store.restore(state.tensors);
    const { step, seed, metadata, properties } = state;
    progress.write({ step, seed, metadata, properties });
    parameters.initialize();
  }

  return {
    checkpoint: (options = {}) => queue.add(async () => encode(options)),
    saveCheckpoint: (path, options = {}) =>
      queue.add(async () => runtime.files.writeAtomic(path, await encode(options))),
    loadCheckpoint: (from: CheckpointState) =>
      queue.add(async () => {
        const { loadCheckpoint } = await import('../source/load-checkpoint.js');
        const { read, file } = await loadCheckpoint(runtime.files, from);
        if (read.format === 'gradware') return restore(read.state, file);
        const { trainable, frozen, nominal, optimizer } = read.checkpoint;
        const properties = Object.fromEntries(read.checkpoint.properties);
        if (nominal) refuse('A nominal checkpoint has no values to load', file);
        const tensors = new Map<string, TensorData>();
        for (const [name, tensor] of [...trainable, ...frozen])
          tensors.set(
            `${source.statistics.includes(name) ? 'statistic' : 'parameter'}/${name}`,
            tensor,
          );
        for (const [key, tensor] of stateByGroup(optimizerTensors(optimizer), groups))
          tensors.set(key, tensor);
        const { seed } = progress.read();
        restore({ step: optimizer?.step ?? 0, seed, tensors, metadata: {}, properties }, file);
      }),
  };
}

function refuse(problem: string, where: string): never {
  throw new GradwareError('INVALID_CHECKPOINT', problem, {
    where,
    remedy: 'Use a checkpoint of this very model.',
  });
}

const int64 = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

/** JavaScript passes anything.
 *  @throws GradwareError INVALID_OPTION for what a property bag has no room for */
function checkProperties(properties: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(properties)) {
    const fits =
      typeof value === 'string' ||
      (typeof value === 'number' && Number.isFinite(value)) ||
      (typeof value === 'bigint' && value >= int64.least && value <= int64.most);
    if (fits) continue;
    throw new GradwareError('INVALID_OPTION', `The property "${name}" is ${String(value)}`, {
      remedy: 'Give whole numbers as bigint (64 bits), finite numbers or texts.',
    });
  }
}

/** What ORT keeps of an optimizer, under the keys of the state store. */
export function optimizerTensors(
  state: OptimizerState | undefined,
): ReadonlyMap<string, TensorData> {
  const tensors = new Map<string, TensorData>();
  if (state === undefined) return tensors;
  tensors.set('optimizer/count', tensorOf('int32' as DataType, [state.step], []));
  for (const [parameter, own] of state.momentums)
    for (const [momentum, tensor] of own) tensors.set(`optimizer/${momentum}/${parameter}`, tensor);
  return tensors;
}
