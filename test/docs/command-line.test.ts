import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { gradware } from '../cli/gradware.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const documents = read('packages/cli/README.md') + read('docs/ARTIFACTS.md');

test.each([...['train', 'eval', 'export', 'generate', 'inspect', 'plugins']])(
  'every option of gradware %s is documented',
  async (command) => {
    const { stdout } = await gradware(command, '--help');
    const options = [...stdout.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(
      ([, name = '']) => name,
    );
    expect(options).toContain('--help');
    for (const option of options) expect(documents).toMatch(new RegExp(`${option}\\b`));
  },
);
