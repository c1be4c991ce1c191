import type { EpochEvent, Evaluation, StepsEvent } from '@gradware/core';
import { style, type Terminal } from '../output/terminal.js';
import { type BarState, renderBar } from './bar.js';
import {
  asArgument,
  formatCount,
  formatNumber,
  formatRate,
  formatShare,
  formatTime,
} from './format.js';
import { createRate } from './rate.js';
import type { EndInfo, Reporter, StartInfo } from './reporter.js';

/** Without a terminal, a line at most this often (in milliseconds) between those of the epochs. */
const quietFor = 10_000;
/** On a terminal, the bar is drawn at most this often. */
const redrawn = 80;

const clearLine = '\r\u001b[2K';
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

/** Lines of text; on a terminal also a bar that moves. */
export function textReporter(
  terminal: Terminal,
  warnings: Terminal,
  now: () => number = () => performance.now(),
): Reporter {
  const rate = createRate(now);
  let info: StartInfo | undefined;
  let drawn = Number.NEGATIVE_INFINITY;
  let barShown = false;

  function line(text: string): void {
    terminal.write(`${barShown ? clearLine : ''}${text}\n`);
    barShown = false;
  }

  function stateAfter({ position, result }: StepsEvent, start: StartInfo): BarState {
    const total = start.epochs * start.stepsPerEpoch;
    const done = position.epoch * start.stepsPerEpoch + position.batch;
    const { perSecond } = rate;
    const last = Object.entries(result.metrics).map(([name, values]) => [name, values.at(-1)]);
    return {
      epoch: position.epoch + 1,
      epochs: start.epochs,
      done: done / total,
      loss: result.losses.at(-1),
      metrics: Object.fromEntries(last),
      stepsPerSecond: perSecond,
      secondsLeft: perSecond === undefined ? undefined : (total - done) / perSecond,
    };
  }

  function draw(state: BarState): void {
    const bar = renderBar(state, terminal.columns - 1, (part, text) =>
      part === 'done' ? style(terminal, 'cyan', text) : style(terminal, 'dim', text),
    );
    terminal.write(`${barShown ? '' : hideCursor}${clearLine}${bar}`);
    barShown = true;
  }

  return {
    start(given) {
      info = given;
      for (const text of describeStart(given)) line(text);
      drawn = now();
      rate.pause();
    },
    warning: (message) => {
      if (barShown) terminal.write(clearLine);
      barShown = false;
      warnings.write(`${style(warnings, 'yellow', 'warning:')} ${message}\n`);
    },
    steps(event) {
      rate.add(event.result.losses.length);
      if (info === undefined || now() - drawn < (terminal.isInteractive ? redrawn : quietFor))
        return;
      drawn = now();
      const state = stateAfter(event, info);
      if (terminal.isInteractive) draw(state);
      else line(describeState(state));
    },
    epoch(event) {
      const columns = terminal.isInteractive ? terminal.columns : Number.POSITIVE_INFINITY;
      line(describeEpoch(event, info?.epochs ?? event.epoch + 1, columns));
      drawn = now();
      rate.pause();
    },
    end: (given) => {
      for (const text of describeEnd(given, (word) => style(terminal, 'bold', word))) line(text);
    },
    close() {
      if (terminal.isInteractive) terminal.write(`${barShown ? clearLine : ''}${showCursor}`);
      barShown = false;
    },
  };
}

function describeStart(info: StartInfo): readonly string[] {
  const { model, provider, trainable, frozen, plugins, examples, validation } = info;
  const tensors = `${trainable} tensors train${frozen > 0 ? `, ${frozen} do not` : ''}`;
  const validated =
    validation === undefined ? '' : `, ${formatCount(validation.examples)} for validation`;
  return [
    `${info.resumed ? `Going on after step ${info.step} with` : 'Training'} ${model} on ${provider}: ${tensors}`,
    `${formatCount(examples)} examples${validated}; batches of ${info.batchSize}, ${info.stepsPerEpoch} steps an epoch, seed ${info.seed}`,
    ...(plugins.length > 0 ? [`gradients → ${plugins.join(' → ')} → optimizer`] : []),
    ...(validation === undefined
      ? []
      : [['before', ...describeEvaluation(validation, 'val ')].join('  ')]),
  ];
}

function describeMetrics(metrics: Readonly<Record<string, number>>): readonly string[] {
  return Object.entries(metrics)
    .filter(([, value]) => !Number.isNaN(value))
    .map(([name, value]) => `${name} ${formatNumber(value)}`);
}

export function describeEvaluation({ loss, accuracy }: Evaluation, prefix = ''): readonly string[] {
  return [
    `${prefix}loss ${formatNumber(loss)}`,
    ...(accuracy === undefined ? [] : [`${prefix}accuracy ${formatShare(accuracy)}`]),
  ];
}

/** What does not fit in `columns` is left out, from the last metric on. */
function describeEpoch(event: EpochEvent, epochs: number, columns: number): string {
  const head = `epoch ${String(event.epoch + 1).padStart(String(epochs).length)}/${epochs}`;
  const parts = [
    head,
    `loss ${formatNumber(event.loss)}`,
    ...(event.validation === undefined ? [] : describeEvaluation(event.validation, 'val ')),
    `${event.seconds.toFixed(1)} s`,
  ];
  const metrics = [...describeMetrics(event.metrics)];
  while (metrics.length > 0 && [...parts, ...metrics].join('  ').length > columns) metrics.pop();
  return [...parts, ...metrics].join('  ');
}

function describeState(state: BarState): string {
  const { epoch, epochs, done, loss, metrics, stepsPerSecond, secondsLeft } = state;
  return [
    `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`,
    `${Math.floor(done * 100)}%`,
    ...(loss === undefined ? [] : [`loss ${formatNumber(loss)}`]),
    ...describeMetrics(metrics),
    ...(stepsPerSecond === undefined ? [] : [`${formatRate(stepsPerSecond)} steps/s`]),
    ...(secondsLeft === undefined ? [] : [`${formatTime(secondsLeft)} left`]),
  ].join('  ');
}

function describeEnd(info: EndInfo, strong: (text: string) => string): readonly string[] {
  const { status, step, seconds, validation, checkpoint, model } = info;
  if (status === 'stopped')
    return [
      `Stopped after step ${step}`,
      ...(checkpoint === undefined ? [] : [`Go on with: --resume ${asArgument(checkpoint)}`]),
    ];
  const found = validation === undefined ? [] : describeEvaluation(validation, 'validation ');
  return [
    `Trained ${formatCount(step)} steps in ${formatTime(seconds)}`,
    ...found.map(strong),
    ...(model === undefined ? [] : [`model       ${model}`]),
    ...(checkpoint === undefined ? [] : [`checkpoint  ${checkpoint}`]),
  ];
}
