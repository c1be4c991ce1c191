import { beforeAll, expect, test } from 'vitest';
import { genuineSubjects, ownSubjects, type Subject } from './corpus.js';
import { mutate, mutations } from './mutate.js';
import { randomFrom } from './random.js';
import { caseOf, use } from './target.js';

let subjects: readonly Subject[];
beforeAll(async () => {
  subjects = await ownSubjects();
});

/** Milliseconds of processor time that one case may take, as for `pnpm fuzz`. */
const maxWork = 2_000;

test('damaged files of our own lead to nothing but refusals of ours', async () => {
  for (let index = 0; index < 400; index++) {
    const one = caseOf(subjects, 7, index);
    const before = process.cpuUsage();
    const refusals = await one.run().catch((error: unknown) => error);
    const { user, system } = process.cpuUsage(before);
    const title = `case ${index} of seed 7: ${one.subject}, ${one.file}: ${one.how}`;
    expect(refusals, title).toBeInstanceOf(Array);
    expect((user + system) / 1000, title).toBeLessThan(maxWork);
  }
}, 120_000);

/** Without values there is nothing to train, without an evaluation model nothing to evaluate. */
const expected = [
  [/nominal/, /names only/],
  [/gradient_graph|v1accum|nominal/, /no eval_model/],
  [/custom-ops/, /CustomOp/],
] as const;

test('sound files are used without a refusal', async () => {
  for (const subject of [...subjects, ...genuineSubjects()]) {
    const problems = (await use(subject)).map(({ message }) => message);
    const others = problems.filter(
      (problem) =>
        !expected.some(([name, reason]) => name.test(subject.name) && reason.test(problem)),
    );
    expect(others, subject.name).toEqual([]);
  }
}, 60_000);

test('a seed decides every case', () => {
  const titles = () =>
    Array.from({ length: 50 }, (_, index) => {
      const { subject, file, how } = caseOf(subjects, 3, index);
      return `${subject} ${file} ${how}`;
    });
  expect(titles()).toEqual(titles());
  expect(new Set(titles()).size).toBeGreaterThan(30);
});

test('every mutation changes files, and leaves the original alone', () => {
  const original = Uint8Array.from({ length: 300 }, (_, i) => i % 251);
  const copy = original.slice();
  for (const [name, mutation] of Object.entries(mutations)) {
    const changed = Array.from({ length: 20 }, (_, seed) =>
      Buffer.compare(mutation(original.slice(), randomFrom(seed)), original),
    );
    expect(
      changed.some((difference) => difference !== 0),
      name,
    ).toBe(true);
  }
  for (let seed = 0; seed < 100; seed++) mutate(original, randomFrom(seed));
  expect(original).toEqual(copy);
});
