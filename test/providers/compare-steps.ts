import { equal } from 'node:assert/strict';
import type { BenchStep } from '@gradware/core/testing';
import { expectClose } from '../../packages/core/src/testing/compare.js';

/** What is written for a provider computes what is written for the CPU, both run on the CPU. */
export function expectSameSteps(name: string, found: BenchStep, wanted: BenchStep): void {
  equal(found.applied, wanted.applied, `${name}: applied`);
  equal(found.dropped, wanted.dropped, `${name}: dropped`);
  expectClose(found.gradients, wanted.gradients, name);
}
