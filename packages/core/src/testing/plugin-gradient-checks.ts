import type { TensorData } from '../onnx/ir.js';
import { type Check, fail } from './checks.js';
import { allFinite, expectFinite, expectSame } from './compare.js';
import { emptyShapes, filledWith, sampled, shapes, spoiledBy } from './plugin-samples.js';
import type { Trial } from './plugin-trial.js';
import { floats } from './tensors.js';

/** What a plugin may do to gradients of any shape and size, and to what it is given. */
export function gradientChecks<Given>({
  make,
  given,
  nonFinite,
  on,
}: Trial<Given>): readonly Check[] {
  return [
    {
      name: 'keeps shapes and types, of scalars and empty gradients too',
      run: () =>
        on(
          async (bench) => {
            const gradients = sampled(emptyShapes, 1);
            const before = sampled(emptyShapes, 1);
            const result = await bench.step(gradients);
            for (const [name, tensor] of result.gradients)
              if (`${tensor.dims}` !== `${emptyShapes[name as keyof typeof emptyShapes]}`)
                fail(`the gradient of ${name} became [${tensor.dims}]`);
            expectSame(gradients, before, 'the gradients that were fed changed');
          },
          { over: emptyShapes },
        ),
    },
    {
      name: 'changes neither its options nor the gradients and weights it is given',
      run: async () => {
        const frozen = Object.freeze(given());
        const weights = sampled(shapes, 7);
        const gradients = sampled(shapes, 1);
        await on((bench) => bench.step(gradients), { plugins: [make(frozen)], weights });
        expectSame(gradients, sampled(shapes, 1), 'the gradients');
        expectSame(weights, sampled(shapes, 7), 'the weights');
      },
    },
    ...[0, 1, 1e30, 1e-30, 1e-40].map(
      (size): Check => ({
        name: `gives finite results for gradients of size ${size}`,
        run: () =>
          on(async (bench) => {
            const scaled = (tensor: TensorData) => ({
              ...tensor,
              data: floats(tensor).map((x) => x * size),
            });
            for (const salt of [1, 2]) {
              const result = await bench.step(sampled(shapes, salt, scaled));
              if (result.applied) expectFinite(result.gradients, `step ${salt}`);
            }
            const result = await bench.step(sampled(shapes, 3, filledWith(size)));
            if (result.applied) expectFinite(result.gradients, 'gradients that are all the same');
          }),
      }),
    ),
    ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map(
      (value): Check => ({
        name: nonFinite === 'shows' ? `does not hide ${value}` : `removes ${value}`,
        run: () =>
          on(async (bench) => {
            for (const name of Object.keys(shapes)) {
              const gradients = sampled(shapes, 5);
              const spoiled = spoiledBy(value)(gradients.get(name) as TensorData);
              const result = await bench.step(new Map([...gradients, [name, spoiled]]));
              if (!result.applied) continue;
              const sound = [...result.gradients.values()].every(allFinite);
              if (nonFinite === 'removes' && !sound) fail(`${value} in ${name} is still there`);
              // A bound may turn infinity into a number, but nothing makes a number of NaN.
              if (nonFinite === 'shows' && sound && Number.isNaN(value))
                fail(`NaN in ${name} became numbers that look sound`);
            }
          }),
      }),
    ),
  ];
}
