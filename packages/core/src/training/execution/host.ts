import type { Tensor } from 'onnxruntime-common';
import { GradwareError, messageOf } from '../../errors.js';
import { filled } from '../../graph/constants.js';
import type { HostContext, HostGradient } from '../../plugins/plugin.js';
import { placed } from '../../plugins/results.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor, toTensor } from '../../runtime/tensors.js';
import type { HostStep, StepProgram } from '../../step/program.js';
import type { StateStore } from './state-store.js';

/** The run that a visit is part of. */
interface HostRun {
  readonly from: number;
  readonly signal: AbortSignal | undefined;
}

/** Lets a host plugin work on the gradients that a stage made; its results take their place for the next stage.
 *  Returns what it reported. State of a host plugin is not undone with a dropped step: it ran before the drop was
 *  known.
 *  @throws GradwareError PLUGIN_CONTRACT where it returns something else than it was given */
export async function visitHost(
  runtime: Runtime,
  program: StepProgram,
  { call, inputs, outputs }: HostStep,
  known: Record<string, Tensor>,
  run: HostRun,
  store: StateStore,
): Promise<Readonly<Record<string, number>>> {
  const { id, parameters, isActive } = call;
  const given = inputs.map((name) => known[name] as Tensor);
  if (!isActive(run.from)) {
    outputs.forEach((name, i) => {
      known[name] = given[i] as Tensor;
    });
    return {};
  }
  const metrics: Record<string, number> = {};
  const context: HostContext = {
    step: run.from,
    learningRate: scalarNow(program, call.learningRate, run.from),
    setting: (name) => scalarNow(program, `gradware/${id}.${name}`, run.from),
    state: (key, { length, init = 0 }) =>
      hostState(runtime, store, `plugin/${id}.${key}`, length, init),
    metric: (key, value) => {
      metrics[`${id}.${key}`] = value;
    },
    signal: run.signal,
  };
  const gradients = given.map((tensor, i): HostGradient => {
    const { data, dims } = fromTensor(tensor);
    // A copy: the step may need the gradient itself once more, and plugins may write into theirs.
    return { parameter: parameters[i] ?? '', shape: dims, data: (data as Float32Array).slice() };
  });
  const results = await callPlugin(call, gradients, context);
  outputs.forEach((name, i) => {
    const result = results[i] as HostGradient;
    const dims = (given[i] as Tensor).dims;
    known[name] = toTensor(runtime.Tensor, { type: 'float32', data: result.data, dims });
  });
  return metrics;
}

/** What a scalar that changes from step to step is at one: a learning rate, a setting. */
export function scalarNow({ scalars }: StepProgram, name: string, step: number): number {
  const found = scalars.find(({ value }) => value.name === name);
  return found?.at(step) ?? Number.NaN;
}

function hostState(
  runtime: Runtime,
  store: StateStore,
  key: string,
  length: number,
  init: number,
): Float32Array {
  const value = { name: key, type: 'float32' as const, shape: [length] };
  store.demand({ key, value, next: key, init: () => filled('float32', [length], init) });
  const { data } = fromTensor(store.get(key) as Tensor);
  if (!(data instanceof Float32Array))
    throw new GradwareError('PLUGIN_CONTRACT', `State ${key} is not float32`);
  store.set(key, toTensor(runtime.Tensor, { type: 'float32', data, dims: [length] }));
  return data;
}

async function callPlugin(
  { plugin, where }: HostStep['call'],
  gradients: readonly HostGradient[],
  context: HostContext,
): Promise<readonly HostGradient[]> {
  let results: readonly HostGradient[] | undefined;
  try {
    results = await plugin.transformHost?.(gradients, context);
  } catch (cause) {
    if (cause instanceof GradwareError) throw placed(cause, where);
    const reason = messageOf(cause);
    throw new GradwareError('PLUGIN_CONTRACT', `A plugin failed: ${reason}`, { where, cause });
  }
  if (!Array.isArray(results) || results.length !== gradients.length)
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      `A host plugin must return one result for each of ${gradients.length} gradients, and returned ${
        Array.isArray(results) ? results.length : results === undefined ? 'nothing' : typeof results
      }`,
      { where, remedy: 'Return the list that it was given, changed in place or not.' },
    );
  gradients.forEach((gradient, i) => {
    checkResult(gradient, results[i], where);
  });
  return results;
}

function checkResult(
  { parameter, data }: HostGradient,
  result: HostGradient | undefined,
  where: string,
): void {
  const place = { where: `${where}, gradient of ${parameter}` };
  const given = result?.data;
  if (!(given instanceof Float32Array) || given.length !== data.length)
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      `A host plugin must return a Float32Array of ${data.length} numbers here, not ${
        ArrayBuffer.isView(given)
          ? `${given.constructor.name} of ${String(Reflect.get(given, 'length'))}`
          : typeof given
      }`,
      {
        ...place,
        remedy: 'Return { parameter, shape, data }, the data a Float32Array of that length.',
      },
    );
  if (result?.parameter !== undefined && result.parameter !== parameter)
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      `A host plugin returned the gradient of ${result.parameter} here`,
      { ...place, remedy: 'Return the gradients in the order in which they are given.' },
    );
}
