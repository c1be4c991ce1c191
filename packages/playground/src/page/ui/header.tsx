import { environment, opened } from '../store.js';
import { theme, toggleTheme } from '../theme.js';
import { Icon } from './icon.js';

function provider(): string {
  const [run, around] = [opened.value, environment.value];
  if (run === undefined || around === undefined) return 'starting';
  if (run.provider === 'webgpu') return 'webgpu';
  return `wasm · ${around.threads} ${around.threads === 1 ? 'thread' : 'threads'}`;
}

export function Header() {
  const other = theme.value === 'dark' ? 'light' : 'dark';
  return (
    <header class="header">
      <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M5 6c2 14 7 19 22 19" />
        <circle cx="10.6" cy="18" r="4" />
      </svg>
      <h1>
        Gradware <span>playground</span>
      </h1>
      <span class="chip" title={opened.value?.why}>
        <i /> {provider()}
      </span>
      <button type="button" class="plain" onClick={toggleTheme} aria-label={`Use ${other} colours`}>
        <Icon name={other === 'dark' ? 'moon' : 'sun'} />
      </button>
    </header>
  );
}
