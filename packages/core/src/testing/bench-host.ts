import type { TensorData } from '../onnx/ir.js';
import type { HostGradient } from '../plugins/plugin.js';
import type { HostStep, StepProgram } from '../step/program.js';
import { scalarNow } from '../training/execution/host.js';
import { floats } from './tensors.js';

/** The step that a plugin on the host is called in. */
interface HostVisit {
  readonly program: StepProgram;
  readonly position: number;
  readonly metrics: Map<string, number>;
}

/** The host's side of a bench. */
export interface BenchHost {
  /** What plugins keep there, by its name in checkpoints. */
  readonly state: Map<string, Float32Array>;
  /** Lets a plugin work on the values that it takes, and adds those that it makes. */
  visit(at: HostVisit, step: HostStep, known: Map<string, TensorData>): Promise<void>;
}

export function createHost(): BenchHost {
  const kept = new Map<string, Float32Array>();
  return {
    state: kept,
    async visit({ program, position, metrics }, { call, inputs, outputs }, known) {
      const given = inputs.map((name, i): HostGradient => {
        const tensor = known.get(name) as TensorData;
        const data = floats(tensor).slice();
        return { parameter: call.parameters[i] ?? '', shape: tensor.dims, data };
      });
      const results = call.isActive(position)
        ? await call.plugin.transformHost?.(given, {
            step: position,
            learningRate: scalarNow(program, call.learningRate, position),
            setting: (name) => scalarNow(program, `gradware/${call.id}.${name}`, position),
            state(key, { length, init = 0 }) {
              const full = `plugin/${call.id}.${key}`;
              const own = kept.get(full) ?? new Float32Array(length).fill(init);
              kept.set(full, own);
              return own;
            },
            metric: (key, value) => metrics.set(`${call.id}.${key}`, value),
            signal: undefined,
          })
        : given;
      outputs.forEach((name, i) => {
        const { shape, data } = (results?.[i] ?? given[i]) as HostGradient;
        known.set(name, { type: 'float32', dims: shape, data });
      });
    },
  };
}
