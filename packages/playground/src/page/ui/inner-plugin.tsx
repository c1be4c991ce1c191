import type { PartChoice, PluginChoice, PluginDescription } from '../../shared/catalogue.js';
import { catalogue, setOption } from '../store.js';
import { OptionFields } from './option-fields.js';

interface InnerPluginProps {
  readonly choice: PluginChoice;
  readonly description: PluginDescription | undefined;
  readonly onChange: (inner: PartChoice) => void;
}

export const runsAnother = (description: PluginDescription | undefined): boolean =>
  description?.options.some(({ kind }) => kind === 'plugin') === true;

/** The compressors that may stand inside another plugin. */
export const insiders = (): readonly PluginDescription[] =>
  catalogue.value.plugins.filter((one) => one.role === 'compress' && !runsAnother(one));

/** For a plugin that runs another one: which, and how. */
export function InnerPlugin({ choice, description, onChange }: InnerPluginProps) {
  if (!runsAnother(description)) return null;
  const inner = choice.inner ?? { name: '', options: {} };
  const own = insiders().find(({ name }) => name === inner.name);
  return (
    <div class="inner">
      <label class="field wide">
        <span>around</span>
        <select
          value={inner.name}
          onChange={(event) => onChange({ name: event.currentTarget.value, options: {} })}
        >
          {insiders().map(({ name }) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <OptionFields
        part={inner}
        options={own?.options ?? []}
        onOption={(name, value) => onChange(setOption(inner, name, value))}
      />
    </div>
  );
}
