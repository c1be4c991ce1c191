import { readFileSync } from 'node:fs';
import { createBench, floats, type Tensors } from '@gradware/core/testing';
import { decodeNpz } from '@gradware/data';

/** Arrays of an archive in test/golden, as float32 tensors by name. */
export function golden(file: string): Tensors {
  const bytes = readFileSync(new URL(`../golden/${file}`, import.meta.url));
  const arrays = decodeNpz(bytes, { where: file });
  return new Map(
    [...arrays].map(([name, { data, shape }]) => [
      name,
      { type: 'float32', dims: shape, data: Float32Array.from(data as ArrayLike<number>, Number) },
    ]),
  );
}

/** What PyTorch makes of the networks test/golden/model-*.onnx. */
export function goldenNetworks(): Tensors {
  return new Map([...golden('models.npz'), ...golden('spatial.npz')]);
}

/** The tensors below a prefix, by the rest of their names. */
export function below(all: Tensors, prefix: string): Tensors {
  return new Map(
    [...all].flatMap(([name, tensor]) =>
      name.startsWith(`${prefix}/`) ? [[name.slice(prefix.length + 1), tensor] as const] : [],
    ),
  );
}

/** Entry i of tensors that hold one entry for each step. */
export function at(all: Tensors, i: number): Tensors {
  return new Map(
    [...all].map(([name, tensor]) => {
      const dims = tensor.dims.slice(1);
      const size = dims.reduce((product, dim) => product * dim, 1);
      const data = floats(tensor).slice(i * size, (i + 1) * size);
      return [name, { ...tensor, dims, data }];
    }),
  );
}

/** The reverse: one entry for each step. */
export function stacked(steps: readonly Tensors[]): Tensors {
  return new Map(
    [...(steps[0] ?? [])].map(([name, { type, dims }]) => {
      const data = steps.flatMap((step) =>
        Array.from((step.get(name)?.data ?? []) as Float32Array),
      );
      return [name, { type, dims: [steps.length, ...dims], data: Float32Array.from(data) }];
    }),
  );
}

type Plugins = Parameters<typeof createBench>[0]['plugins'];

/** What plugins make of gradients in one step. */
export async function transformed(
  plugins: Plugins,
  gradients: Tensors,
  weights: Tensors,
): Promise<Tensors> {
  const bench = await createBench({ plugins, weights });
  const { gradients: results } = await bench.step(gradients);
  await bench.release();
  return results;
}

interface Element {
  readonly place: string;
  readonly wanted: number;
  /** How far the found value is from the wanted one. */
  readonly off: number;
  /** How far it may be: 1e-6 of the value; where terms cancelled, 1e-7 of the tensor's largest. */
  readonly allowed: number;
}

function* elements(found: Tensors, wanted: Tensors, name: string): Generator<Element> {
  const [exact, values] = [wanted, found].map((all) => {
    const tensor = all.get(name);
    return tensor === undefined ? new Float32Array() : floats(tensor);
  }) as [Float32Array, Float32Array];
  const largest = exact.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  for (const [i, x] of exact.entries()) {
    const off = Math.abs((values[i] ?? Number.NaN) - x);
    const allowed = 1e-6 * Math.abs(x) + 1e-7 * largest;
    yield { place: `${name}[${i}]`, wanted: x, off, allowed };
  }
}

/** The elements that are not what they should be, to 1e-6. */
export function differences(found: Tensors, wanted: Tensors): readonly Element[] {
  return [...wanted.keys()].flatMap((name) =>
    [...elements(found, wanted, name)].filter(({ off, allowed }) => !(off <= allowed)),
  );
}

/** The same for quantized tensors, told apart: elements that lie one level (`scales`, by name) away, and others. */
export function levelDifferences(found: Tensors, wanted: Tensors, scales: Tensors) {
  const [neighbours, others]: [Element[], Element[]] = [[], []];
  let count = 0;
  for (const name of wanted.keys()) {
    const scale = (scales.get(name)?.data[0] ?? 0) as number;
    for (const element of elements(found, wanted, name)) {
      const { off, allowed } = element;
      count += 1;
      if (off <= allowed) continue;
      const isNeighbour = Math.abs(off - scale) <= 1e-6 * scale + 2 * allowed;
      (isNeighbour ? neighbours : others).push(element);
    }
  }
  return { neighbours, others, count };
}
