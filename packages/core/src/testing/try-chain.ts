import { type BenchOptions, type BenchStep, createBench } from './bench.js';
import { expectClose } from './compare.js';
import type { Tensors } from './runtime.js';
import { float32, floats, type TensorLike } from './tensors.js';

/** Tensors as tests write them, by parameter name. */
export type TensorsLike = Readonly<Record<string, TensorLike>>;

function tensorsOf(given: TensorsLike): Tensors {
  return new Map(Object.entries(given).map(([name, tensor]) => [name, float32(tensor)]));
}

export interface TriedStep extends Omit<BenchStep, 'gradients'> {
  /** What reached the optimizer, by parameter. */
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  /** Weights, moments and state of plugins after the step, by their names in checkpoints. */
  readonly state: Readonly<Record<string, readonly number[]>>;
}

export interface TryOptions extends Partial<Omit<BenchOptions, 'plugins' | 'weights'>> {
  /** Default: those of the first step's gradients. */
  readonly weights?: TensorsLike | undefined;
}

/** Feeds the gradients of some steps to a chain, one step after the other. */
export async function tryChain(
  plugins: BenchOptions['plugins'],
  steps: readonly TensorsLike[],
  { weights = steps[0] ?? {}, ...options }: TryOptions = {},
): Promise<readonly TriedStep[]> {
  const bench = await createBench({ ...options, plugins, weights: tensorsOf(weights) });
  try {
    const results: TriedStep[] = [];
    for (const step of steps) {
      const result = await bench.step(tensorsOf(step));
      const [gradients, state] = [numbers(result.gradients), numbers(bench.state())];
      results.push({ ...result, gradients, state });
    }
    return results;
  } finally {
    await bench.release();
  }
}

function numbers(tensors: Tensors): Readonly<Record<string, readonly number[]>> {
  return Object.fromEntries([...tensors].map(([name, tensor]) => [name, [...floats(tensor)]]));
}

/** Fails where what came out is not what should have, to 1e-6 of each tensor's largest number.
 *  @throws Error that says which tensor differs, and how */
export function expectNumbers(
  found: Readonly<Record<string, readonly number[]>>,
  wanted: TensorsLike,
  tolerance = 1e-6,
): void {
  const flat = Object.entries(wanted).map(([name, tensor]) => [name, [...floats(float32(tensor))]]);
  const names = new Set(Object.keys(wanted));
  const own = Object.entries(found).filter(([name]) => names.has(name));
  const values = tensorsOf(Object.fromEntries(own));
  expectClose(values, tensorsOf(Object.fromEntries(flat)), 'the result', tolerance);
}
