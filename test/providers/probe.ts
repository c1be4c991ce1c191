import { tensorOf } from '../../packages/core/src/graph/constants.js';
import { modelOf } from '../../packages/core/src/graph/model.js';
import { type Pack, pack } from './pack.js';

/** x + x: what a provider that works can compute. */
export function probePack(): Pack {
  const info = { type: 'float32' as const, shape: [1] };
  const node = { name: 'add', opType: 'Add', domain: '', attributes: {} };
  const x = tensorOf('float32', [21], [1]);
  return pack([
    {
      name: 'probe',
      model: modelOf({
        name: 'probe',
        nodes: [{ ...node, inputs: ['x', 'x'], outputs: ['y'] }],
        inputs: [{ name: 'x', ...info }],
        outputs: [{ name: 'y', ...info }],
        initializers: new Map(),
        valueInfo: new Map(),
      }),
      feeds: new Map([['x', x]]),
      wanted: new Map([['y', tensorOf('float32', [42], [1])]]),
      tolerance: 0,
    },
  ]);
}
