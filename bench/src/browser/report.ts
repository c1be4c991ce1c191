import type { BrowserSection } from './suite.js';

export interface BrowserReport {
  readonly environment: string;
  readonly sections: readonly BrowserSection[];
}

const cells = (row: readonly string[]) => `| ${row.join(' | ')} |`;

/** Figures and ratios as Markdown tables. */
export function markdownOf({ environment, sections }: BrowserReport): string {
  const parts = sections.map(({ title, figures, ratios, absent, dispatches }) => {
    const counts = (name: string) =>
      dispatches.size === 0 ? [] : [`${dispatches.get(name) ?? ''}`];
    const counted = dispatches.size === 0 ? [] : ['sent to the GPU'];
    return [
      `### ${title}`,
      [
        cells(['ms per step', 'median', 'min', 'max', ...counted]),
        cells(['---', '---:', '---:', '---:', ...counted.map(() => '---:')]),
        ...[...figures].map(([name, { median, min, max }]) =>
          cells([name, ...[median, min, max].map((value) => value.toFixed(2)), ...counts(name)]),
        ),
        ...[...absent].map(([name, why]) =>
          cells([name, `cannot: ${why}`, '', '', ...counts(name)]),
        ),
      ].join('\n'),
      [
        cells(['ratio of medians', 'value', 'wanted']),
        cells(['---', '---:', '---:']),
        ...ratios.map(({ name, value, bound }) =>
          cells([
            name,
            value.toFixed(2),
            bound === undefined ? '' : `${bound.kind} ${bound.limit}`,
          ]),
        ),
      ].join('\n'),
    ].join('\n\n');
  });
  return `${[environment, ...parts].join('\n\n')}\n`;
}
