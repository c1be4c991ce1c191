import type { Compilation } from './compile.js';
import { columns, pipes } from './report.js';

const header = [
  'model',
  'weights, MiB',
  'open, s',
  'first step, s',
  'another, s',
  'bound, s',
  'peak open, MiB',
  'peak trained, MiB',
  'beyond the weights, bound',
];

function rowOf(made: Compilation): readonly string[] {
  const { title, weights, open, first, step, seconds, opened, trained, mebibytes } = made;
  return [
    title,
    weights.toFixed(0),
    open.toFixed(2),
    first.toFixed(2),
    step.toFixed(2),
    String(seconds),
    opened.toFixed(0),
    trained.toFixed(0),
    mebibytes === undefined ? '' : String(mebibytes),
  ];
}

export const compileFormats = {
  text: (made: readonly Compilation[]) => `${columns(header, made.map(rowOf))}\n`,
  markdown: (made: readonly Compilation[]) => `${pipes(header, made.map(rowOf))}\n`,
  json: (made: readonly Compilation[]) => `${JSON.stringify(made, undefined, 2)}\n`,
} as const;
