import type { OptionDescription, OptionValue, PartChoice } from '../../shared/catalogue.js';
import { shown, spaced } from './format.js';
import { NumberField } from './number-field.js';

interface FieldProps {
  readonly option: OptionDescription;
  readonly value: OptionValue | undefined;
  readonly onChange: (value: OptionValue | undefined) => void;
}

function OptionField({ option, value, onChange }: FieldProps) {
  const { name, kind, choices, fallback, takes, help, live } = option;
  const label = spaced(name);
  const explained = `${help}${help === '' ? '' : '; '}${takes}${live ? '' : '; compiles the step anew'}`;
  switch (kind) {
    case 'boolean':
      return (
        <label class="switch" title={explained}>
          <input
            type="checkbox"
            checked={Boolean(value ?? fallback)}
            onChange={(event) => onChange(event.currentTarget.checked)}
          />
          <span>{label}</span>
        </label>
      );
    case 'choice':
      return (
        <label class="field" title={explained}>
          <span>{label}</span>
          <select
            value={shown(value ?? fallback)}
            onChange={(event) => onChange(event.currentTarget.value)}
          >
            {fallback === undefined && <option value="">–</option>}
            {choices.map((choice) => (
              <option key={choice} value={choice}>
                {choice}
              </option>
            ))}
          </select>
        </label>
      );
    case 'plugin':
      return null;
    default:
      return (
        <NumberField
          label={label}
          value={value}
          fallback={fallback}
          help={explained}
          integer={takes.startsWith('a whole number')}
          onChange={onChange}
        />
      );
  }
}

interface FieldsProps {
  readonly part: PartChoice;
  readonly options: readonly OptionDescription[];
  readonly onOption: (name: string, value: OptionValue | undefined) => void;
}

/** The controls for what a part can be told. */
export function OptionFields({ part, options, onOption }: FieldsProps) {
  return (
    <div class="options">
      {options.map((option) => (
        <OptionField
          key={option.name}
          option={option}
          value={part.options[option.name]}
          onChange={(value) => onOption(option.name, value)}
        />
      ))}
    </div>
  );
}
