import { expect, test } from 'vitest';
import { loadPlugins, pluginsTable } from '../support/plugins.js';

test('docs/PLUGINS.md is what the plugins say of themselves (pnpm docs:plugins makes it so)', async () => {
  await expect(pluginsTable()).resolves.toMatchFileSnapshot('../../docs/PLUGINS.md');
});

test('every plugin is called after its folder, and described in one sentence', async () => {
  for (const { name, factory, definition } of await loadPlugins()) {
    expect(definition.name).toBe(name);
    expect(factory).toBe(name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()));
    expect(definition.description, name).toMatch(/^[A-Z].*\.$/s);
  }
});
