import { signal } from '@preact/signals';

export interface Notice {
  readonly id: number;
  readonly tone: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly remedy: string | undefined;
}

export const notices = signal<readonly Notice[]>([]);

let next = 0;
const most = 4;
/** How long what is no error stays, in milliseconds. */
const lasts = 9000;

/** Says something; errors stay until they are closed. */
export function say(tone: Notice['tone'], text: string, remedy?: string): void {
  const id = next++;
  const others = notices.value.filter((notice) => notice.text !== text);
  notices.value = [...others, { id, tone, text, remedy }].slice(-most);
  if (tone !== 'error') setTimeout(() => close(id), lasts);
}

/** Takes back what is over. */
export function retract(start: string): void {
  notices.value = notices.value.filter(({ text }) => !text.startsWith(start));
}

export function close(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
