import { useSignal } from '@preact/signals';
import { useId } from 'preact/hooks';
import type { OptionValue } from '../../shared/catalogue.js';
import { nudge, shown, typed } from './format.js';

export interface NumberFieldProps {
  readonly label: string;
  readonly value: OptionValue | undefined;
  readonly integer?: boolean;
  readonly fallback?: OptionValue | undefined;
  readonly help?: string | undefined;
  readonly onChange: (value: OptionValue | undefined) => void;
}

/** A number, or a schedule as text, with steps along 1, 2, 5, 10 by button and by arrow key. */
export function NumberField({
  label,
  value,
  integer = false,
  fallback,
  help,
  onChange,
}: NumberFieldProps) {
  const id = useId();
  const current = value ?? fallback;
  /** What is being typed: the page may be drawn anew meanwhile. */
  const draft = useSignal<string | undefined>(undefined);
  const step = (up: boolean) => {
    draft.value = undefined;
    if (typeof current !== 'number') return;
    const next = nudge(current, up, integer);
    if (next !== current) onChange(next);
  };
  const commit = () => {
    if (draft.value === undefined) return;
    const next = typed(draft.value);
    draft.value = undefined;
    if (next !== value) onChange(next);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="stepper">
        <button
          type="button"
          tabIndex={-1}
          aria-label={`Less ${label}`}
          disabled={typeof current !== 'number'}
          onClick={() => step(false)}
        >
          −
        </button>
        <input
          id={id}
          type="text"
          inputMode={integer ? 'numeric' : 'text'}
          autocomplete="off"
          spellcheck={false}
          value={draft.value ?? shown(value)}
          placeholder={shown(fallback)}
          title={help}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onBlur={commit}
          onKeyDown={(event) => {
            if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
              event.preventDefault();
              step(event.key === 'ArrowUp');
            } else if (event.key === 'Enter') commit();
            else if (event.key === 'Escape') draft.value = undefined;
          }}
        />
        <button
          type="button"
          tabIndex={-1}
          aria-label={`More ${label}`}
          disabled={typeof current !== 'number'}
          onClick={() => step(true)}
        >
          +
        </button>
      </div>
    </div>
  );
}
