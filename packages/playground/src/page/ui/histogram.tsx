import { useMemo } from 'preact/hooks';
import { binCount, binsPerDecade, highestExponent, lowestExponent } from '../../shared/bins.js';
import type { Histogram } from '../../shared/protocol.js';
import { attempt, change, config, histogram, looksAt, opened, worker } from '../store.js';
import { whole } from './format.js';

const [width, height, left, bottom] = [440, 150, 54, 20];
const binWidth = (width - left) / binCount;
const place = (exponent: number) => left + (exponent - lowestExponent) * binsPerDecade * binWidth;

/** Areas as roots, so that few large gradients are seen beside many small ones. */
const heightOf = (count: number, most: number) =>
  most === 0 ? 0 : Math.sqrt(count / most) * (height - bottom - 6);

function bars(counts: readonly number[], most: number): string {
  return counts
    .map((count, i) => {
      const tall = heightOf(count, most);
      const x = (left + i * binWidth).toFixed(1);
      const y = (height - bottom - tall).toFixed(1);
      return tall === 0
        ? ''
        : `M${x} ${height - bottom}V${y}h${(binWidth - 0.6).toFixed(1)}V${height - bottom}z`;
    })
    .join('');
}

function outline(counts: readonly number[], most: number): string {
  const steps = counts.map((count, i) => {
    const x = (left + i * binWidth).toFixed(1);
    return `L${x} ${(height - bottom - heightOf(count, most)).toFixed(1)}h${binWidth.toFixed(1)}`;
  });
  return `M${left} ${height - bottom}${steps.join('')}V${height - bottom}`;
}

function Bars({ found }: { readonly found: Histogram }) {
  const { before, after, zerosBefore, zerosAfter } = found;
  const most = useMemo(() => Math.max(...before, ...after, 1), [before, after]);
  const total = [...after, zerosAfter].reduce((sum, count) => sum + count, 0);
  const zeros = (count: number) => (count / Math.max(total, 1)) * (height - bottom - 6);
  return (
    <>
      <rect
        class="before"
        x={8}
        width={16}
        y={height - bottom - zeros(zerosBefore)}
        height={zeros(zerosBefore)}
      />
      <rect
        class="after"
        x={26}
        width={16}
        y={height - bottom - zeros(zerosAfter)}
        height={zeros(zerosAfter)}
      />
      <path class="before" d={bars(before, most)} />
      <path class="after line" d={outline(after, most)} />
    </>
  );
}

const exponents = Array.from(
  { length: highestExponent - lowestExponent },
  (_, i) => lowestExponent + i + 1,
).filter((exponent) => exponent % 2 === 0);

const [all, none] = ['(all)', '(none)'];

/** To watch gradients is one more pass over memory in each step. */
async function show(chosen: string): Promise<void> {
  if (chosen === none) return change({ watch: false });
  looksAt.value = chosen === all ? undefined : chosen;
  if (!config.value.watch) await change({ watch: true });
  await attempt(() => worker.look(looksAt.value));
}

export function GradientHistogram() {
  const found = histogram.value;
  const { watch } = config.value;
  const names = opened.value?.parameters.map(({ name }) => name) ?? [];
  const zeros = found?.zerosAfter ?? 0;
  return (
    <figure class="card chart histogram">
      <figcaption>
        <h2>Gradients</h2>
        <ul class="legend">
          <li style={{ '--color': 'var(--before)' }}>before</li>
          <li style={{ '--color': 'var(--after)' }}>after</li>
        </ul>
        <label>
          <span class="unseen">Gradients of which parameter</span>
          <select
            value={watch ? (looksAt.value ?? all) : none}
            onChange={(event) => show(event.currentTarget.value)}
          >
            <option value={all}>all</option>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
            <option value={none}>none</option>
          </select>
        </label>
      </figcaption>
      <svg
        class="plot"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Histogram of gradient magnitudes; ${whole(zeros)} are zero after the chain`}
      >
        {exponents.map((exponent) => (
          <line
            key={exponent}
            x1={place(exponent)}
            x2={place(exponent)}
            y1={0}
            y2={height - bottom}
          />
        ))}
        <line x1={left - 6} x2={left - 6} y1={0} y2={height - bottom} />
        {found !== undefined && <Bars found={found} />}
      </svg>
      <div class="marks" aria-hidden="true">
        <span style={{ left: `${(25 / width) * 100}%` }}>zero</span>
        {exponents.map((exponent) => (
          <span key={exponent} style={{ left: `${(place(exponent) / width) * 100}%` }}>
            10<sup>{exponent}</sup>
          </span>
        ))}
      </div>
    </figure>
  );
}
