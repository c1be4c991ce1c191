import { expect, test } from 'vitest';
import { tensorOf } from '../../packages/core/src/graph/constants.js';
import {
  bceWithLogits,
  cosine,
  crossEntropy,
  hinge,
  huber,
  klDivergence,
  l1,
  mse,
  nll,
} from '../../packages/core/src/losses/index.js';
import type { Loss } from '../../packages/core/src/losses/loss.js';
import type { TensorData } from '../../packages/core/src/onnx/ir.js';
import { relativeDistance } from '../support/check-gradients.js';
import { modelWriter } from '../support/forward-models.js';
import { modelGradients } from '../support/model-gradients.js';
import { below, golden } from './golden.js';

const arrays = golden('losses.npz');
const inputs = below(arrays, 'inputs');
const classWeights = [0.5, 2, 1];

type Input = 'scores' | 'numbers';
type Target = 'labels' | 'targets' | 'chances' | 'signs' | 'log-targets';

interface Case {
  readonly loss: Loss;
  readonly input: Input;
  readonly target: Target;
  /** What lies between the input and the loss. */
  readonly log?: boolean;
  readonly perm?: readonly number[];
}

const classes = (loss: Loss, extra: Partial<Case> = {}): Case => ({
  loss,
  input: 'scores',
  target: 'labels',
  ...extra,
});
const plain = (loss: Loss, target: Target, extra: Partial<Case> = {}): Case => ({
  loss,
  input: 'numbers',
  target,
  ...extra,
});

const smooth = { classWeights, labelSmoothing: 0.2 };
const log = { log: true };

/** By the name of the golden numbers, then what is special. */
const cases: readonly (readonly [golden: string, note: string, Case])[] = [
  ['cross-entropy/weights', '', classes(crossEntropy({ classWeights }))],
  [
    'cross-entropy/weights',
    'classes last',
    classes(crossEntropy({ classWeights, axis: -1 }), { perm: [0, 2, 1] }),
  ],
  [
    'cross-entropy/weights',
    'classes first',
    classes(crossEntropy({ classWeights, axis: 0 }), { perm: [1, 0, 2] }),
  ],
  ['cross-entropy/weights-sum', '', classes(crossEntropy({ classWeights, reduction: 'sum' }))],
  ['cross-entropy/weights-ignored', '', classes(crossEntropy({ classWeights, ignoreIndex: 1 }))],
  ['cross-entropy/smooth-weights', '', classes(crossEntropy(smooth))],
  [
    'cross-entropy/smooth-weights',
    'classes last',
    classes(crossEntropy({ ...smooth, axis: 2 }), { perm: [0, 2, 1] }),
  ],
  [
    'cross-entropy/smooth-weights-ignored',
    '',
    classes(crossEntropy({ ...smooth, ignoreIndex: 1 })),
  ],
  ['cross-entropy/smooth-weights-sum', '', classes(crossEntropy({ ...smooth, reduction: 'sum' }))],
  ['nll/plain', '', classes(nll(), log)],
  ['nll/plain', 'classes last', classes(nll({ axis: -1 }), { log: true, perm: [0, 2, 1] })],
  ['nll/weights-ignored', '', classes(nll({ classWeights, ignoreIndex: 0 }), log)],
  ['nll/sum', '', classes(nll({ reduction: 'sum' }), log)],
  ['kl-divergence/batchmean', '', plain(klDivergence(), 'chances', log)],
  ['kl-divergence/mean', '', plain(klDivergence({ reduction: 'mean' }), 'chances', log)],
  [
    'kl-divergence/log-target',
    '',
    plain(klDivergence({ reduction: 'sum', logTarget: true }), 'log-targets', log),
  ],
  ['hinge/plain', '', plain(hinge(), 'signs')],
  ['hinge/margin', '', plain(hinge({ margin: 0.3, reduction: 'sum' }), 'signs')],
  ['hinge/squared', '', plain(hinge({ squared: true }), 'signs')],
  ['cosine/plain', '', plain(cosine(), 'targets')],
  ['cosine/axis', '', plain(cosine({ axis: 0, reduction: 'sum' }), 'targets')],
  ['mse/plain', '', plain(mse(), 'targets')],
  ['l1/plain', '', plain(l1(), 'targets')],
  ['huber/delta', '', plain(huber({ delta: 0.4 }), 'targets')],
  ['bce-with-logits/weight', '', plain(bceWithLogits({ posWeight: 3 }), 'chances')],
];

test.each(cases)(
  '%s %s is that of PyTorch',
  async (name, _, { loss, input, target, ...between }) => {
    const x = inputs.get(input) as TensorData;
    const { add, model } = modelWriter();
    const logs = between.log ? add('LogSoftmax', ['x'], { axis: 1 }) : 'x';
    const { perm } = between;
    if (perm === undefined) add('Identity', [logs], {}, 'logits');
    else add('Transpose', [logs], { perm }, 'logits');
    const truth = inputs.get(target) as TensorData;
    const data = new Map<string, TensorData>([
      ['x', x],
      target === 'labels'
        ? ['labels', tensorOf('int64', Array.from(truth.data as Float32Array), truth.dims)]
        : ['target', truth],
    ]);
    const found = await modelGradients(model([...x.dims], [], 'logits'), data, loss, ['x']);
    const wanted = below(arrays, name);
    expect(found.loss).toBeCloseTo(Number(wanted.get('loss')?.data[0]), 5);
    const gradient = found.gradients.get('x') as TensorData;
    expect(gradient.dims).toEqual(x.dims);
    expect(relativeDistance(gradient, wanted.get('gradient') as TensorData)).toBeLessThan(2e-6);
  },
);

test.each([
  ['cross entropy', crossEntropy({ ignoreIndex: 1 })],
  ['cross entropy, smoothed', crossEntropy({ ignoreIndex: 1, labelSmoothing: 0.1, classWeights })],
  ['nll', nll({ ignoreIndex: 1 })],
  ['nll, weighted', nll({ ignoreIndex: 1, classWeights })],
])('%s: where no label counts, the gradient is zero', async (_, loss) => {
  const { add, model } = modelWriter();
  add('LogSoftmax', ['x'], { axis: 1 }, 'logits');
  const x = inputs.get('scores') as TensorData;
  const labels = tensorOf('int64', Array<number>(8).fill(1), [4, 2]);
  const data = new Map([
    ['x', x],
    ['labels', labels],
  ]);
  const found = await modelGradients(model([...x.dims], [], 'logits'), data, loss, ['x']);
  expect(found.loss).toBeCloseTo(0, 9);
  const gradient = Array.from(found.gradients.get('x')?.data as Float32Array, Math.abs);
  expect(gradient).toEqual(Array(24).fill(0));
});

test('the golden numbers are all compared', () => {
  const names = [...arrays.keys()].flatMap((key) => /^(.+)\/loss$/.exec(key)?.[1] ?? []);
  expect([...new Set(cases.map(([name]) => name))].sort()).toEqual(names.sort());
});
