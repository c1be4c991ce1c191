import type { Model } from '../../../onnx/ir.js';
import type { Kinds } from '../trainable.js';

/** Why an initializer does not train by default. */
export const constant = 'a buffer or a constant of the PyTorch model';

const kindsKey = 'gradware.kinds';

/** Models are written without the notes of the exporter: this one stays. */
export function withKinds({ metadata }: Model, kinds: Kinds): ReadonlyMap<string, string> {
  const lines = Array.from(
    kinds,
    ([name, kind]) => `${kind === true ? 'parameter' : 'constant'} ${name}`,
  );
  return lines.length === 0 ? metadata : new Map([...metadata, [kindsKey, lines.join('\n')]]);
}

/** What a model that was written by us says of its initializers. */
export function notedKinds({ metadata }: Model): Kinds {
  const lines = metadata.get(kindsKey)?.split('\n') ?? [];
  return new Map(
    lines.flatMap((line): readonly (readonly [string, true | string])[] => {
      const [kind, name] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
      if (kind === 'parameter') return [[name, true]];
      return kind === 'constant' ? [[name, constant]] : [];
    }),
  );
}
