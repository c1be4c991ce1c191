import type { TensorData } from '../onnx/ir.js';
import { fail } from './checks.js';
import type { Tensors } from './runtime.js';
import { floats, sameBit, sameTensor } from './tensors.js';

/** Fails where two sets of tensors differ in a name or, if not told otherwise, in a bit. */
export function expectSame(found: Tensors, wanted: Tensors, what: string, equal = sameBit): void {
  for (const name of wanted.keys()) if (!found.has(name)) fail(`${what}: ${name} is missing`);
  for (const [name, tensor] of found) {
    const other = wanted.get(name);
    if (other === undefined) fail(`${what}: ${name} was not expected`);
    if (!sameTensor(tensor, other, equal))
      fail(`${what}: ${name} is ${show(tensor)} instead of ${show(other)}`);
  }
}

/** Fails where tensors differ by more than rounding.
 *  @param tolerance as a part of a tensor's largest number; default: how far providers may be apart */
export function expectClose(found: Tensors, wanted: Tensors, what: string, tolerance = 1e-5): void {
  for (const [name, tensor] of wanted) {
    const other = found.get(name);
    const [values, exact] = [other && floats(other), floats(tensor)];
    const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const close = exact.every(
      (x, i) => Math.abs((values?.[i] ?? Number.NaN) - x) <= tolerance * largest,
    );
    if (!close)
      fail(`${what}: ${name} is ${other ? show(other) : 'missing'} instead of ${show(tensor)}`);
  }
}

/** Fails where a number is NaN or infinite. */
export function expectFinite(found: Tensors, what: string): void {
  for (const [name, tensor] of found)
    if (!allFinite(tensor)) fail(`${what}: the result of ${name} is ${show(tensor)}`);
}

export function allFinite(tensor: TensorData): boolean {
  return floats(tensor).every(Number.isFinite);
}

function show({ dims, data }: TensorData): string {
  const first = Array.from(data as ArrayLike<number>).slice(0, 4);
  return `[${dims}] (${first.join(', ')}${data.length > 4 ? ', ...' : ''})`;
}
