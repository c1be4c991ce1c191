import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { catalogue, change, config, setOption } from '../store.js';
import { Icon } from './icon.js';
import { NumberField } from './number-field.js';
import { OptionFields } from './option-fields.js';

export function OptimizerCard({ norm }: { readonly norm: ComponentChildren }) {
  const isOpen = useSignal(false);
  const { optimizer, learningRate } = config.value;
  const { optimizers } = catalogue.value;
  const description = optimizers.find(({ name }) => name === optimizer.name);
  return (
    <div class="optimizer">
      <div class="end">
        <strong>Optimizer</strong>
        <span>gradients to updates</span>
        <output>{norm}</output>
      </div>
      <div class="row">
        <label class="field">
          <span>kind</span>
          <select
            value={optimizer.name}
            onChange={(event) => {
              const name = event.currentTarget.value;
              return change({ optimizer: { name, options: {} } });
            }}
          >
            {optimizers.map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <NumberField
          label="learning rate"
          value={learningRate}
          help="A number, or a schedule such as cosine(0.005, 0, 500)"
          onChange={(value) =>
            change({ learningRate: value ?? description?.learningRate ?? 0.001 })
          }
        />
      </div>
      <button
        type="button"
        class="more"
        aria-expanded={isOpen.value}
        onClick={() => {
          isOpen.value = !isOpen.value;
        }}
      >
        Options of {optimizer.name} <Icon name="chevron" />
      </button>
      {isOpen.value && (
        <OptionFields
          part={optimizer}
          options={description?.options ?? []}
          onOption={(name, value) => change({ optimizer: setOption(optimizer, name, value) })}
        />
      )}
    </div>
  );
}
