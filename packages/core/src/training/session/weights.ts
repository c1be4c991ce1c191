import { encodeSafetensors } from '../../artifacts/safetensors.js';
import { GradwareError } from '../../errors.js';
import { convertFloats } from '../../onnx/convert-floats.js';
import { isFloatType } from '../../onnx/element-types.js';
import type { Runtime } from '../../runtime/runtime.js';
import { fromTensor } from '../../runtime/tensors.js';
import type { TrainingSession } from '../api.js';
import type { ParameterAccess } from '../execution/parameters.js';
import type { ModelSource } from '../source/source.js';
import type { Queue } from './queue.js';

interface WeightParts {
  readonly runtime: Runtime;
  readonly source: ModelSource;
  readonly parameters: ParameterAccess;
  readonly queue: Pick<Queue, 'add'>;
}

/** What tools of the PyTorch world look for before they read a safetensors file. */
const usualMetadata = { format: 'pt' } as const;

/** Weights by name, without anything else of a checkpoint. */
export function weightAccess({
  runtime,
  source,
  parameters,
  queue,
}: WeightParts): Pick<TrainingSession, 'exportWeights' | 'importWeights'> {
  return {
    exportWeights: ({ trainableOnly = false, type, metadata = {} } = {}) =>
      queue.add(async () => {
        parameters.demandValues();
        if (type !== undefined) checkType(type);
        const names = trainableOnly ? source.trainable : [...source.parameters.keys()];
        const tensors = new Map(
          names.map((name) => {
            const tensor = fromTensor(parameters.get(name));
            return [name, type === undefined ? tensor : convertFloats(tensor, type)] as const;
          }),
        );
        return encodeSafetensors({ tensors, metadata: { ...usualMetadata, ...metadata } });
      }),
    importWeights: (from, { strict = true } = {}) =>
      queue.add(async () => {
        // Few pages read them: what they need is loaded then.
        const { readWeights } = await import('./read-weights.js');
        const { loaded, ...rest } = await readWeights(runtime.files, from, source, strict);
        parameters.setAll(loaded);
        return { loaded: [...loaded.keys()], ...rest };
      }),
  };
}

function checkType(type: string): void {
  if (isFloatType(type)) return;
  throw new GradwareError('INVALID_OPTION', `Weights cannot be written as ${type}`, {
    remedy: 'There are float32, float64, float16 and bfloat16.',
  });
}
