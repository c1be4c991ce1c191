import type { Environment } from './environment.js';
import type { Memory } from './memory.js';
import type { Ratio, Section } from './suite.js';

export interface Report {
  readonly environment: Environment;
  readonly sections: readonly Section[];
  readonly memory: Memory | undefined;
}

export const formats = { text, markdown, json } as const;

const round = (value: number, digits: number) => Number(value.toFixed(digits));
const kept = ({ value, bound }: Ratio) =>
  bound === undefined || (bound.kind === 'below' ? value < bound.limit : value >= bound.limit);

function describe({ name, value, bound }: Ratio): readonly string[] {
  const wanted = bound === undefined ? '' : `${bound.kind} ${bound.limit}`;
  if (Number.isNaN(value)) return [name, 'lost in the noise', wanted, '?'];
  return [name, value.toFixed(2), wanted, kept({ name, value, bound }) ? 'yes' : 'no'];
}

/** One line that names the versions and the machine. */
export function setting(environment: Environment): string {
  const { gradware, onnxruntime, node, system, processor, cores, threads, pytorch, blas } =
    environment;
  const peer =
    pytorch === undefined ? 'no PyTorch found' : `PyTorch ${pytorch} (matrix products: ${blas})`;
  return `gradware ${gradware}, onnxruntime-node ${onnxruntime}, ${peer}, Node ${node}; ${system}, ${processor}, ${cores} cores, ${threads} threads`;
}

/** Rows as text columns, or as a Markdown table. */
export type Table = (header: readonly string[], rows: readonly (readonly string[])[]) => string;

export const columns: Table = (header, rows) => {
  const all = [header, ...rows];
  const widths = header.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)));
  return all.map((row) => `  ${line(row).join('  ')}`).join('\n');
};

export const pipes: Table = (header, rows) => {
  const rule = header.map((_, i) => (i === 0 ? '---' : '---:'));
  return [header, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
};

function body({ environment, sections, memory }: Report, heading: string, table: Table): string {
  const parts = sections.map(({ title, figures, ratios }) =>
    [
      `${heading}${title}`,
      table(
        ['ms per step', 'median', 'min', 'max'],
        [...figures].map(([name, { median, min, max }]) => [
          name,
          ...[median, min, max].map((value) => value.toFixed(2)),
        ]),
      ),
      table(['ratio of medians', 'value', 'wanted', 'met'], ratios.map(describe)),
    ].join('\n\n'),
  );
  const flat = memory === undefined ? [] : [memoryPart(memory, heading, table)];
  return `${[setting(environment), ...parts, ...flat].join('\n\n')}\n`;
}

function memoryPart({ title, samples }: Memory, heading: string, table: Table): string {
  const rows = samples.map(({ steps, resident }) => [`${steps}`, (resident / 2 ** 20).toFixed(1)]);
  return [`${heading}Memory, ${title}`, table(['after steps', 'resident, MiB'], rows)].join('\n\n');
}

function text(report: Report): string {
  return body(report, '', columns);
}

function markdown(report: Report): string {
  return body(report, '### ', pipes);
}

function json({ environment, sections, memory }: Report): string {
  const plain = sections.map(({ title, figures, ratios }) => ({
    title,
    millisecondsPerStep: Object.fromEntries(
      [...figures].map(([name, { median, min, max }]) => [
        name,
        { median: round(median, 4), min: round(min, 4), max: round(max, 4) },
      ]),
    ),
    // JSON has no NaN: a ratio that is lost in the noise is null.
    ratios: ratios.map((ratio) => ({ ...ratio, value: round(ratio.value, 4), met: kept(ratio) })),
  }));
  return `${JSON.stringify({ environment, sections: plain, memory }, undefined, 2)}\n`;
}
