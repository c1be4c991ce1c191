import { useSignal } from '@preact/signals';
import type { PluginChoice, PluginDescription } from '../../shared/catalogue.js';
import { catalogue, metrics, opened, setOption } from '../store.js';
import { short, shown, spaced } from './format.js';
import { Icon } from './icon.js';
import { InnerPlugin } from './inner-plugin.js';
import { OptionFields } from './option-fields.js';
import { dragged, type Reorder, shiftOf } from './reorder.js';

interface PluginCardProps {
  readonly choice: PluginChoice;
  readonly index: number;
  readonly count: number;
  readonly drag: Reorder;
  readonly onMove: (by: number) => void;
  readonly onRemove: () => void;
  readonly onChange: (choice: PluginChoice) => void;
}

/** What it is set to, in a line. */
function summary({ options }: PluginChoice, description: PluginDescription | undefined): string {
  return (description?.options ?? [])
    .flatMap(({ name, fallback }) => {
      const value = options[name] ?? fallback;
      return value === undefined ? [] : [`${spaced(name)} ${shown(value)}`];
    })
    .slice(0, 2)
    .join(' · ');
}

function Metrics({ id }: { readonly id: string | undefined }) {
  const own = Object.entries(metrics.value).filter(([name]) => name.startsWith(`${id}.`));
  if (own.length === 0) return null;
  return (
    <dl class="metrics">
      {own.slice(0, 4).map(([name, value]) => (
        <div key={name}>
          <dt>{spaced(name.slice((id ?? '').length + 1)).replace(/-/g, ' ')}</dt>
          <dd>{short(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function PluginCard(props: PluginCardProps) {
  const { choice, index, count, drag, onMove, onRemove, onChange } = props;
  const isOpen = useSignal(false);
  const description = catalogue.value.plugins.find(({ name }) => name === choice.name);
  const away = dragged.value;
  const shift = away === undefined ? 0 : shiftOf(index, away);
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (by !== undefined) {
      event.preventDefault();
      onMove(by);
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      event.preventDefault();
      onRemove();
    }
  };
  return (
    <li
      class="plugin"
      data-dragged={away?.from === index}
      style={{ transform: shift === 0 ? undefined : `translateY(${shift}px)` }}
    >
      <div class="head">
        <button
          type="button"
          class="grip"
          aria-label={`Move ${choice.name}, ${index + 1} of ${count}: arrow keys move it, Delete removes it`}
          onPointerDown={(event) => drag.start(index, event)}
          onKeyDown={onKey}
        >
          <i />
        </button>
        <button
          type="button"
          class="title"
          aria-expanded={isOpen.value}
          onClick={() => {
            isOpen.value = !isOpen.value;
          }}
        >
          <strong>{choice.name}</strong>
          <span>{summary(choice, description) || description?.role}</span>
          <Icon name="chevron" />
        </button>
        <button type="button" class="plain" aria-label={`Remove ${choice.name}`} onClick={onRemove}>
          <Icon name="close" />
        </button>
      </div>
      <Metrics id={opened.value?.ids[choice.key]} />
      {isOpen.value && (
        <div class="body">
          <p class="hint">{description?.description}</p>
          <InnerPlugin
            choice={choice}
            description={description}
            onChange={(inner) => onChange({ ...choice, inner })}
          />
          <OptionFields
            part={choice}
            options={description?.options ?? []}
            onOption={(name, value) => onChange(setOption(choice, name, value))}
          />
          <details class="when">
            <summary>Where and when</summary>
            <OptionFields
              part={choice}
              options={description?.common ?? []}
              onOption={(name, value) => onChange(setOption(choice, name, value))}
            />
          </details>
        </div>
      )}
    </li>
  );
}
