import {
  apply,
  attempt,
  canTrain,
  change,
  compiling,
  config,
  curves,
  drawn,
  epoch,
  finished,
  lastEpoch,
  opened,
  running,
  step,
  stepMs,
  worker,
} from '../store.js';
import { percent, short, whole } from './format.js';
import { Icon } from './icon.js';

function start(): Promise<unknown> {
  return attempt(async () => {
    // What is finished goes on for as many epochs again.
    if (finished.value || epoch.value >= config.value.epochs)
      await change({ epochs: epoch.value + 12 });
    await worker.train();
  });
}

function Figure({ label, value, id }: { label: string; value: string; id?: string }) {
  return (
    <div class="figure">
      <dt>{label}</dt>
      <dd id={id}>{value}</dd>
    </div>
  );
}

export function RunBar() {
  // Read so that it is shown anew.
  void drawn.value;
  const { batchSize, epochs } = config.value;
  const batches = Math.ceil((opened.value?.trainExamples ?? 0) / batchSize);
  const total = Math.max(1, epochs * batches);
  const reached = Math.min(1, finished.value ? 1 : step.value / total);
  const on = running.value;
  return (
    <section class="card run" aria-label="Training">
      <div class="actions">
        <button
          type="button"
          class="primary"
          disabled={!on && !canTrain.value}
          onClick={() => (on ? attempt(() => worker.pause()) : start())}
        >
          <Icon name={on ? 'pause' : 'play'} />
          {on ? 'Pause' : step.value > 0 ? 'Go on' : 'Train'}
        </button>
        <button
          type="button"
          class="square"
          aria-label="Start over"
          title="Start over"
          disabled={!canTrain.value || step.value === 0}
          onClick={() => apply(config.value, true)}
        >
          <Icon name="restart" />
        </button>
      </div>
      <dl class="figures">
        <Figure label="Test accuracy" id="accuracy" value={percent(lastEpoch.value?.accuracy)} />
        <Figure label="Loss" value={short(curves.losses.at(-1))} />
        <Figure label="Step" id="step" value={whole(step.value)} />
        <Figure
          label="Epoch"
          value={`${Math.min(epoch.value + (on ? 1 : 0), epochs)} / ${epochs}`}
        />
        <Figure
          label="Per step"
          value={stepMs.value === undefined ? '–' : `${stepMs.value.toFixed(1)} ms`}
        />
      </dl>
      <progress
        class="progress"
        {...(compiling.value ? {} : { value: reached })}
        max={1}
        aria-label={compiling.value ? 'The first step is being compiled' : 'Progress'}
      />
      {compiling.value && opened.value?.provider === 'webgpu' && (
        <p class="hint">The first step is being compiled for the GPU, which takes a while.</p>
      )}
    </section>
  );
}
