import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { curves, drawn, lastEpoch } from '../store.js';
import { theme } from '../theme.js';
import { type ChartLine, chartOptions } from './chart-options.js';
import { percent, short } from './format.js';
import { GradientHistogram } from './histogram.js';
import { smooth } from './smooth.js';

interface ChartProps {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  readonly data: () => uPlot.AlignedData;
  readonly logarithmic?: boolean;
  readonly range?: readonly [number, number];
  /** What is to be read off now, in words. */
  readonly now: string;
  /** Whether that is shown, too. */
  readonly showsNow?: boolean;
}

/** Milliseconds between two pictures. */
const pause = 120;

function Chart({
  title,
  lines,
  data,
  logarithmic = false,
  range,
  now,
  showsNow = true,
}: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const look = theme.value;
  useEffect(() => {
    const { current } = place;
    if (current === null) return;
    const size = () => ({ width: current.clientWidth, height: current.clientHeight });
    const made = new uPlot(chartOptions({ lines, logarithmic, range, ...size() }), data(), current);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize(size()));
    observer.observe(current);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [look]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = drawn.subscribe(() => {
      timer ??= setTimeout(() => {
        timer = undefined;
        plot.current?.setData(data());
      }, pause);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, []);
  return (
    <figure class="card chart">
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">
          {lines
            .filter(({ name }) => name !== undefined)
            .map(({ name, color, dashed }) => (
              <li key={name} style={{ '--color': `var(${color})` }} data-dashed={dashed}>
                {name}
              </li>
            ))}
        </ul>
        {showsNow && <output>{now}</output>}
      </figcaption>
      <div ref={place} class="plot" role="img" aria-label={`${title}: ${now}`} />
    </figure>
  );
}

const lossLines: readonly ChartLine[] = [
  { name: undefined, color: '--train-faint', width: 1 },
  { name: 'training', color: '--train', width: 2 },
  { name: 'test', color: '--test', width: 2, points: true },
];

const accuracyLines: readonly ChartLine[] = [
  { name: 'test', color: '--test', width: 2, points: true },
];

const normLines: readonly ChartLine[] = [
  { name: 'before', color: '--before', width: 1.5 },
  { name: 'after', color: '--after', width: 2 },
];

/** Test losses at the steps of the training losses. */
function lossData(): uPlot.AlignedData {
  const { steps, losses, epochSteps, testLosses } = curves;
  const byStep = new Map(epochSteps.map((step, i) => [step, testLosses[i] ?? null]));
  return [steps, losses, smooth(losses), steps.map((step) => byStep.get(step) ?? null)];
}

export function Charts() {
  // Read so that the figures are shown anew.
  void drawn.value;
  const point = lastEpoch.value;
  const norms = `${short(curves.before.at(-1), 2)} → ${short(curves.after.at(-1), 2)}`;
  return (
    <div class="charts">
      <Chart
        title="Loss"
        lines={lossLines}
        data={lossData}
        logarithmic
        now={point === undefined ? short(curves.losses.at(-1)) : `test ${short(point.testLoss)}`}
      />
      <Chart
        title="Accuracy"
        lines={accuracyLines}
        data={() => [curves.epochSteps, curves.accuracies]}
        range={[0, 1]}
        now={percent(point?.accuracy)}
      />
      <Chart
        title="Gradient norm"
        lines={normLines}
        data={() => [curves.steps, curves.before, curves.after]}
        logarithmic
        now={norms}
        showsNow={false}
      />
      <GradientHistogram />
    </div>
  );
}
