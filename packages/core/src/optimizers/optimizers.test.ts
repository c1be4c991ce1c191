import { expect, test } from 'vitest';
import { createBench } from '../testing/bench.js';
import { float32, floats } from '../testing/tensors.js';
import { adam, adamw } from './adamw.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

const learningRate = 0.01;

/** Steps of an optimizer on one parameter, next to the same in float64. */
async function compare(
  optimizer: Optimizer,
  reference: (weights: number[], gradient: number[], t: number) => void,
  steps = 30,
): Promise<number> {
  const weights = [0.5, -1.25, 3, 0, 1e-3];
  const exact = [...weights];
  const bench = await createBench({
    plugins: [],
    optimizer,
    learningRate,
    weights: new Map([['w', float32(weights)]]),
  });
  for (let t = 1; t <= steps; t++) {
    const gradient = weights.map((_, i) => Math.fround(Math.sin(3 * t + i) + 0.1 * i));
    await bench.step(new Map([['w', float32(gradient)]]));
    reference(exact, gradient, t);
  }
  const found = floats(bench.state().get('parameter/w') as never);
  await bench.release();
  return Math.max(...exact.map((value, i) => Math.abs(value - (found[i] as number))));
}

interface AdamNumbers {
  readonly decay?: number;
  readonly huggingface?: boolean;
  readonly correct?: boolean;
}

/** torch.optim.AdamW and transformers.AdamW, written from their documentation in float64. */
function adamReference({ decay = 0, huggingface = false, correct = true }: AdamNumbers) {
  const [m, v] = [new Float64Array(5), new Float64Array(5)];
  return (weights: number[], gradient: number[], t: number) => {
    const [c1, c2] = correct ? [1 - 0.9 ** t, 1 - 0.999 ** t] : [1, 1];
    gradient.forEach((g, i) => {
      m[i] = 0.9 * (m[i] as number) + 0.1 * g;
      v[i] = 0.999 * (v[i] as number) + 0.001 * g * g;
      const [mean, square] = [m[i] as number, v[i] as number];
      let w = weights[i] as number;
      if (huggingface) {
        w -= ((learningRate * Math.sqrt(c2)) / c1) * (mean / (Math.sqrt(square) + 1e-6));
        w -= learningRate * decay * w;
      } else {
        w -= learningRate * decay * w;
        w -= (learningRate * mean) / (c1 * (Math.sqrt(square / c2) + 1e-8));
      }
      weights[i] = w;
    });
  };
}

test.each<[string, Optimizer, AdamNumbers]>([
  ['adam', adam(), {}],
  ['adamw', adamw(), { decay: 0.01 }],
  ['adamw, decaying fast', adamw({ weightDecay: 3 }), { decay: 3 }],
  [
    "adamw in Hugging Face's form",
    adamw({ form: 'huggingface', epsilon: 1e-6, weightDecay: 0.5 }),
    { decay: 0.5, huggingface: true },
  ],
  [
    'without bias correction',
    adamw({ form: 'huggingface', epsilon: 1e-6, weightDecay: 0, correctBias: false }),
    { huggingface: true, correct: false },
  ],
])('%s follows its formula', async (_, optimizer, numbers) => {
  expect(await compare(optimizer, adamReference(numbers))).toBeLessThan(1e-6);
});

interface SgdNumbers {
  readonly momentum?: number;
  readonly dampening?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
}

/** torch.optim.SGD, written from its documentation in float64. */
function sgdReference({
  momentum = 0,
  dampening = 0,
  nesterov = false,
  weightDecay = 0,
}: SgdNumbers) {
  const buffer = new Float64Array(5);
  return (weights: number[], gradient: number[], t: number) => {
    gradient.forEach((raw, i) => {
      const g = raw + weightDecay * (weights[i] as number);
      const b = t === 1 ? g : momentum * (buffer[i] as number) + (1 - dampening) * g;
      buffer[i] = b;
      const direction = momentum === 0 ? g : nesterov ? g + momentum * b : b;
      weights[i] = (weights[i] as number) - learningRate * direction;
    });
  };
}

test.each<SgdNumbers>([
  {},
  { weightDecay: 0.1 },
  { momentum: 0.9 },
  { momentum: 0.9, dampening: 0.5 },
  { momentum: 0.9, nesterov: true, weightDecay: 0.1 },
])('sgd %o follows its formula', async (numbers) => {
  expect(await compare(sgd(numbers), sgdReference(numbers))).toBeLessThan(2e-6);
});

test.each<[Parameters<typeof sgd>[0], string]>([
  [{ nesterov: true }, 'needs a momentum'],
  [{ nesterov: true, momentum: 0.9, dampening: 0.1 }, 'dampening of 0'],
  [{ dampening: 0.1 }, 'needs a momentum'],
  [{ momentum: 1 }, 'sgd.momentum must be a number >= 0 and < 1, not 1'],
])('sgd refuses %o', (options, problem) => {
  expect(() => sgd(options)).toThrow(problem);
});
