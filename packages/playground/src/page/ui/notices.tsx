import { close, notices } from '../notices.js';
import { Icon } from './icon.js';

export function Notices() {
  return (
    <div class="notices" role="log" aria-live="polite" aria-label="Messages">
      {notices.value.map(({ id, tone, text, remedy }) => (
        <div key={id} class="notice" data-tone={tone} role={tone === 'error' ? 'alert' : undefined}>
          <p>
            {text}
            {remedy !== undefined && <small>{remedy}</small>}
          </p>
          <button type="button" class="plain" aria-label="Close message" onClick={() => close(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
