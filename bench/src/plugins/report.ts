import type { Environment } from '../environment.js';
import { columns, pipes, setting, type Table } from '../report.js';
import type { Cost, Share, WorkloadCosts } from './measure.js';

export interface PluginReport {
  readonly environment: Environment;
  /** Steps of one run. */
  readonly steps: number;
  readonly workloads: readonly WorkloadCosts[];
}

export const formats = { text, markdown, json } as const;

const percent = (share: number) => `${(share * 100).toFixed(share < 0.095 ? 1 : 0)} %`;

/** The median, and half of the distance of the quartiles. */
function cell(share: Share | undefined): string {
  if (share === undefined) return '-';
  const spread = ((share.high - share.low) / 2) * 100;
  return `${percent(share.median)} ± ${spread.toFixed(spread < 9.5 ? 1 : 0)}`;
}

const short = (passes: number) => {
  const rounded = Math.abs(passes) < 0.05 ? 0 : passes;
  return rounded.toFixed(1).replace(/\.0$/, '');
};

function passes({ passes: { reading, writing } }: Cost): string {
  return `${short(reading)} + ${short(writing)}`;
}

/** What is wanted, and for which models it is so. */
function verdict({ row: { bound } }: Cost, shares: readonly number[]): string {
  if (bound === undefined) return '';
  const met = shares.map((share) => (share < bound ? 'yes' : 'no')).join(', ');
  return `below ${percent(bound)}: ${met}`;
}

function table({ workloads }: PluginReport, format: Table): string {
  const header = [
    ...['chain', 'passes'],
    ...workloads.flatMap(({ workload: { id } }) => [id.toUpperCase(), 'PyTorch']),
    'wanted',
  ];
  const rows = (workloads[0]?.costs ?? []).map((cost, i) => [
    cost.row.name,
    passes(cost),
    ...workloads.flatMap(({ costs }) => [cell(costs[i]?.gradware), cell(costs[i]?.pytorch)]),
    verdict(
      cost,
      workloads.map(({ costs }) => costs[i]?.gradware.median ?? Number.NaN),
    ),
  ]);
  return format(header, rows);
}

/** What a hundred percent are. */
function wholes({ workloads }: PluginReport): readonly string[] {
  return workloads.map(({ workload: { id, title }, step, pytorchStep }) => {
    const peer = pytorchStep === undefined ? '' : `, in PyTorch ${pytorchStep.toFixed(2)} ms`;
    return `${id.toUpperCase()}: ${title}; a step with the empty chain takes ${step.toFixed(2)} ms${peer}.`;
  });
}

function text(report: PluginReport): string {
  const lines = [setting(report.environment), ...wholes(report)].join('\n');
  return `${lines}\n\n${table(report, columns)}\n`;
}

function markdown(report: PluginReport): string {
  const list = wholes(report).map((line) => `- ${line}`);
  return `${setting(report.environment)}, ${report.steps} steps per run

${list.join('\n')}

${table(report, pipes)}
`;
}

function json({ environment, steps, workloads }: PluginReport): string {
  const models = workloads.map(({ workload, step, pytorchStep, costs }) => ({
    model: workload.title,
    millisecondsPerStep: { gradware: step, pytorch: pytorchStep ?? null },
    chains: costs.map(({ row: { name, bound }, ...cost }) => ({ name, bound, ...cost })),
  }));
  return `${JSON.stringify({ environment, steps, models }, undefined, 2)}\n`;
}

const [begin, end] = ['<!-- made by pnpm bench:plugins --write -->', '<!-- until here -->'];

/** A page with the table in place of the one that it had. */
export function written(page: string, report: PluginReport): string {
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page has no "${begin}" with "${end}" after it`);
  return `${page.slice(0, from)}${begin}\n${markdown(report)}${page.slice(to)}`;
}
