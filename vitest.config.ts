import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// The condition by which the packages resolve each other to their TypeScript source.
const conditions = ['@gradware/source'];

/** They take longest, and are short to read: without results of an earlier run vitest would begin the largest file first,
 *  and end with one of these alone. */
const longest = ['/test/providers/', '/test/browser/', '/test/webgpu/', '/test/precision/'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((part) => moduleId.includes(part));
      return found < 0 ? longest.length : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

export default defineConfig({
  resolve: { conditions: [...conditions, 'module', 'node', 'development|production'] },
  ssr: { resolve: { conditions: [...conditions, 'module', 'node', 'development|production'] } },
  test: {
    include: [
      'packages/**/src/**/*.test.ts',
      'test/**/*.test.ts',
      'bench/**/*.test.ts',
      'fuzz/**/*.test.ts',
      'models/**/src/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Native sessions hold threads of their own: separate processes, and few of them.
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // Many times what they take: machines that test are busy, and some GPUs are software.
    testTimeout: 120_000,
    hookTimeout: 240_000,
  },
});
