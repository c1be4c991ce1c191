import { signal } from '@preact/signals';

export type Theme = 'light' | 'dark';

const key = 'gradware-theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');

function stored(): Theme | undefined {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : undefined;
  } catch {
    // Storage may be forbidden: the system decides.
    return undefined;
  }
}

const system = (): Theme => (dark.matches ? 'dark' : 'light');

export const theme = signal<Theme>(stored() ?? system());

/** Follows the system until somebody chooses. */
export function startTheme(): void {
  dark.addEventListener('change', () => {
    if (stored() === undefined) theme.value = system();
  });
  theme.subscribe((value) => {
    document.documentElement.dataset.theme = value;
  });
}

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark';
  try {
    localStorage.setItem(key, theme.value);
  } catch {
    // Then it holds until the tab is closed.
  }
}

/** The colour that a variable of the style sheet has now: for canvases. */
export function colorOf(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}
