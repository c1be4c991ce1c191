import { clearDrawing, example, pixels, prediction, showExample } from '../drawing.js';
import { attempt, canTrain, opened } from '../store.js';
import { Icon } from './icon.js';
import { Pad } from './pad.js';

/** The image as the model sees it. */
function Seen({ image }: { readonly image: readonly number[] | undefined }) {
  return (
    <svg
      class="seen"
      viewBox="0 0 8 8"
      role="img"
      aria-label="The 8 by 8 pixels that the model sees"
    >
      {(image ?? []).map((ink, i) => (
        // The place is what a pixel is.
        <rect
          key={`${i % 8},${Math.floor(i / 8)}`}
          x={i % 8}
          y={Math.floor(i / 8)}
          width={0.94}
          height={0.94}
          opacity={ink}
        />
      ))}
    </svg>
  );
}

function Verdict({
  best,
  label,
}: {
  readonly best: number | undefined;
  readonly label: number | undefined;
}) {
  if (best === undefined) return <p class="verdict empty">?</p>;
  const right = label === undefined ? undefined : label === best;
  return (
    <p class="verdict" data-right={right} id="verdict">
      {best}
      {label !== undefined && <small>{right ? 'right' : `it is a ${label}`}</small>}
    </p>
  );
}

export function DrawPanel() {
  const run = opened.value;
  const { probabilities } = prediction.value ?? { probabilities: undefined };
  const classes = Array.from({ length: Math.max(run?.classes ?? 10, 2) }, (_, i) => i).slice(0, 10);
  const best = probabilities?.indexOf(Math.max(...probabilities));
  if (run !== undefined && !run.draws)
    return (
      <section class="card" aria-labelledby="draw-title">
        <h2 id="draw-title">Draw a digit</h2>
        <p class="hint">This model takes no image of 8 x 8 pixels, so there is nothing to draw.</p>
      </section>
    );
  return (
    <section class="card drawing" aria-labelledby="draw-title">
      <div class="bar">
        <h2 id="draw-title">Draw a digit</h2>
        <button
          type="button"
          class="quiet"
          disabled={!canTrain.value}
          onClick={() => attempt(showExample)}
        >
          <Icon name="dice" /> Test image
        </button>
        <button type="button" class="quiet" onClick={clearDrawing}>
          Clear
        </button>
      </div>
      <Pad />
      <div class="answer">
        <Seen image={pixels.value} />
        <Verdict best={best} label={example.value?.label} />
        <ol class="odds" aria-label="How likely each digit is">
          {classes.map((digit) => {
            const chance = probabilities?.[digit] ?? 0;
            return (
              <li key={digit} data-best={digit === best}>
                <span>{digit}</span>
                <i style={{ '--part': chance }} />
                <output>{probabilities === undefined ? '' : `${Math.round(100 * chance)}`}</output>
              </li>
            );
          })}
        </ol>
      </div>
    </section>
  );
}
