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

/** What is smaller is not told apart: on a logarithmic axis it would take all the room. */
const smallest = 1e-9;

/** At least a power of ten, so that a flat line does not fill the chart with noise. */
function logRange(least: number | null, most: number | null): uPlot.Range.MinMax {
  const low = Math.max(least ?? 0.1, smallest);
  const high = Math.max(most ?? 1, low * 5);
  return [low / 1.4, high * 1.4];
}

/** Powers of ten, not more than a handful; where there is only one, its double and its five-fold beside it. */
function logSplits(low: number, high: number): number[] {
  const [first, last] = [Math.ceil(Math.log10(low)), Math.floor(Math.log10(high))];
  const stride = Math.max(1, Math.ceil((last - first) / 5));
  const powers: number[] = [];
  for (let exponent = first; exponent <= last; exponent += stride)
    powers.push(Number(`1e${exponent}`));
  if (powers.length > 1) return powers;
  return [-1, 0]
    .flatMap((shift) => [1, 2, 5].map((digit) => Number(`${digit}e${first + shift}`)))
    .filter((value) => value >= low && value <= high);
}

const asPower = (value: number) =>
  value >= 1e-3 && value < 1e5 ? short(value) : value.toExponential(0);

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
      value === null ? '' : range?.[1] === 1 ? `${Math.round(100 * value)}%` : asPower(value),
    );
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    // Room for half of the last number below.
    padding: [8, 16, 0, 0],
    scales: {
      x: {
        time: false,
        range: (_, least, most) => [Math.min(least ?? 0, 0), Math.max(most ?? 0, firstSteps)],
      },
      y,
    },
    axes: [
      { ...axis, size: 24, grid: { show: false }, space: 60 },
      {
        ...axis,
        size: 44,
        space: 28,
        values: (_, values) => ticks(values),
        ...(logarithmic && { splits: (_, __, low, high) => logSplits(low, high) }),
      },
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
