import { readFileSync } from 'node:fs';
import { didYouMean, GradwareError, type Loss, losses, onnxLoss } from '@gradware/core';
import { parseSpec } from './spec.js';
import { readOptions } from './values.js';

export const lossNames: readonly string[] = [...losses.keys()];

/** Reads `cross-entropy`, `huber:delta=0.5`, or the name of an ONNX file that is a loss.
 *  @throws GradwareError INVALID_OPTION, FILE, and INVALID_MODEL for a file that is no loss */
export function parseLoss(text: string): Loss {
  if (text.endsWith('.onnx')) return onnxLoss(readLossModel(text));
  const spec = parseSpec(text);
  const factory = losses.get(spec.name);
  if (factory === undefined) {
    throw new GradwareError('INVALID_OPTION', `No loss is named "${spec.name}"`, {
      where: `--loss ${text}`,
      remedy: didYouMean(spec.name, lossNames),
    });
  }
  const given = readOptions(spec, factory.definition.options);
  return factory(given as Readonly<Record<string, never>>);
}

/** What a score has to be above to mean yes, where the loss asks yes or no. */
export function thresholdOf(loss: string | undefined): number | undefined {
  return loss?.split(':')[0] === 'bce-with-logits' ? 0 : undefined;
}

function readLossModel(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new GradwareError('FILE', `The loss model ${path} cannot be read`, {
      where: `--loss ${path}`,
      remedy: 'Name a loss, or the file of an ONNX model.',
      cause,
    });
  }
}
