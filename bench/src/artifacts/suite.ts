import type { Environment } from '../environment.js';
import { type Figure, interleave, type Schedule } from '../rounds.js';
import { noise } from './data.js';
import { mnistArtifacts } from './files.js';
import { ortContender } from './ort.js';
import { type Door, ourContenders } from './ours.js';

export interface Comparison {
  readonly title: string;
  readonly steps: number;
  readonly figures: ReadonlyMap<string, Figure>;
  /** How many times faster ours is, by the quicker way of each door, and how fast it should be. */
  readonly ratios: readonly {
    readonly door: Door;
    readonly value: number;
    readonly least: number;
  }[];
}

/** At least so many times as fast as ORT's own runtime. */
const wanted: readonly (readonly [Door, number])[] = [
  ['cpu', 3],
  ['wasm', 1],
];

/** Lets ORT's own training runtime and ours train the same artifacts in turns. */
export async function compare(batch: number, schedule: Schedule): Promise<Comparison> {
  const set = await mnistArtifacts();
  const data = noise(batch, set.labels);
  const theirs = await ortContender(set, data);
  const ours = new Map(
    await Promise.all(
      wanted.map(async ([door]) => [door, await ourContenders(door, set, data)] as const),
    ),
  );
  const figures = await interleave([theirs, ...[...ours.values()].flat()], schedule);
  const median = (name: string) => figures.get(name)?.median ?? Number.NaN;
  return {
    title: `${set.title}, batch ${batch}`,
    steps: schedule.steps,
    figures,
    ratios: wanted.map(([door, least]) => {
      const best = Math.min(...(ours.get(door) ?? []).map(({ name }) => median(name)));
      return { door, least, value: median(theirs.name) / best };
    }),
  };
}

/** The figures as Markdown. */
export function render(comparison: Comparison, environment: Environment): string {
  const { title, steps, figures, ratios } = comparison;
  const { gradware, onnxruntime, node, system, processor, cores } = environment;
  const rows = [...figures].map(
    ([name, { median, min, max }]) =>
      `| ${name.replace('many', String(steps))} | ${[median, min, max].map((ms) => ms.toFixed(2)).join(' | ')} |`,
  );
  const quotients = ratios.map(
    ({ door, value, least }) =>
      `| ONNX Runtime 1.19.2 / Gradware on ${door} | ${value.toFixed(2)} | at least ${least} | ${value >= least ? 'yes' : 'no'} |`,
  );
  return `gradware ${gradware}, onnxruntime-node and -web ${onnxruntime}, Node ${node}; ${system}, ${processor}, ${cores} cores, one thread each

### ${title}

${[
  '| ms per step | median | min | max |',
  '| --- | ---: | ---: | ---: |',
  ...rows,
  '',
  '| ratio of medians, the quicker way | value | wanted | met |',
  '| --- | ---: | ---: | ---: |',
  ...quotients,
].join('\n')}
`;
}
