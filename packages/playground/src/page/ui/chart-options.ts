import type uPlot from 'uplot';
import { colorOf } from '../theme.js';
import { short } from './format.js';

export interface ChartLine {
  /** As the legend calls it; undefined for what it does not list. */
  readonly name: string | undefined;
  /** A variable of the style sheet. */
  readonly color: string;
  readonly width: number;
  readonly points?: boolean;
  readonly dashed?: boolean;
}

interface ChartLook {
  readonly lines: readonly ChartLine[];
  readonly logarithmic: boolean;
  readonly range: readonly [number, number] | undefined;
  readonly width: number;
  readonly height: number;
}

const font = '11px system-ui, sans-serif';
/** Steps that are shown before there are any. */
const firstSteps = 100;

/** Two thirds of a power of ten at the least, so that a flat line does not fill the chart with noise. */
function logRange(least: number | null, most: number | null): [number, number] {
  if (least === null || most === null || !(least > 0)) return [0.01, 10];
  return [least / 1.3, Math.max(most, least * 5) * 1.3];
}

export function chartOptions({
  lines,
  logarithmic,
  range,
  width,
  height,
}: ChartLook): uPlot.Options {
  const [muted, line] = [colorOf('--muted'), colorOf('--line')];
  const axis = { stroke: muted, font, ticks: { show: false }, grid: { stroke: line, width: 1 } };
  const y: uPlot.Scale = logarithmic
    ? { distr: 3, range: (_, least, most) => logRange(least, most) }
    : { range: () => (range === undefined ? [0, 1] : [range[0], range[1]]) };
  const ticks = (values: readonly (number | null)[]) =>
    values.map((value) =>
      value === null ? '' : range?.[1] === 1 ? `${100 * value}%` : short(value),
    );
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 8, 0, 0],
    scales: {
      x: {
        time: false,
        range: (_, least, most) => [Math.min(least ?? 0, 0), Math.max(most ?? 0, firstSteps)],
      },
      y,
    },
    axes: [
      { ...axis, size: 24, grid: { show: false }, space: 60 },
      { ...axis, size: 44, space: 28, values: (_, values) => ticks(values) },
    ],
    series: [
      {},
      ...lines.map(
        ({ color, width: thickness, points = false }): uPlot.Series => ({
          stroke: colorOf(color),
          width: thickness,
          spanGaps: points,
          points: { show: points, size: 6, fill: colorOf(color) },
        }),
      ),
    ],
  };
}
