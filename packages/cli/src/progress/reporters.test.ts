import type { EpochEvent, StepsEvent } from '@gradware/core';
import { expect, test } from 'vitest';
import type { Terminal } from '../output/terminal.js';
import { jsonReporter } from './json.js';
import type { StartInfo } from './reporter.js';
import { textReporter } from './text.js';

const start: StartInfo = {
  model: 'mlp',
  provider: 'cpu',
  plugins: ['norm-clip'],
  trainable: 4,
  frozen: 1,
  examples: 1437,
  validation: { loss: 2.25, accuracy: 0.125, examples: 360 },
  batchSize: 64,
  epochs: 2,
  stepsPerEpoch: 4,
  step: 0,
  resumed: false,
  seed: 1,
  out: 'out',
};

const steps: StepsEvent = {
  type: 'steps',
  position: { epoch: 0, batch: 4 },
  step: 4,
  result: {
    losses: Float32Array.of(4, 3, 2, 1),
    metrics: { 'norm-clip.norm': Float32Array.of(0.5, 1.5, 2.5, Number.NaN) },
    dropped: [false, false, true, false],
  },
};

const epoch: EpochEvent = {
  type: 'epoch',
  epoch: 0,
  step: 4,
  loss: 2.5,
  metrics: { 'norm-clip.norm': 1.5 },
  validation: { loss: 0.5, accuracy: 0.875, examples: 360 },
  seconds: 1.25,
};

function screen(isInteractive: boolean) {
  const written: string[] = [];
  const terminal: Terminal = {
    isInteractive,
    hasColors: false,
    columns: 100,
    write: (text) => written.push(text),
  };
  return { terminal, text: () => written.join('') };
}

test('where there is no terminal, lines are plain', () => {
  const { terminal, text } = screen(false);
  const reporter = textReporter(terminal, terminal, () => 0);
  reporter.start(start);
  reporter.steps(steps, () => 0.1);
  reporter.epoch(epoch, 'out/checkpoint.safetensors');
  reporter.close();
  expect(text()).toBe(
    [
      'Training mlp on cpu: 4 tensors train, 1 do not',
      '1,437 examples, 360 for validation; batches of 64, 4 steps an epoch, seed 1',
      'gradients → norm-clip → optimizer',
      'before  val loss 2.250  val accuracy 12.50 %',
      'epoch 1/2  loss 2.500  val loss 0.5000  val accuracy 87.50 %  1.3 s  norm-clip.norm 1.500',
      '',
    ].join('\n'),
  );
});

test('long epochs without a terminal say something now and then', () => {
  let time = 0;
  const { terminal, text } = screen(false);
  const reporter = textReporter(terminal, terminal, () => time);
  reporter.start({ ...start, epochs: 4 });
  for (let i = 0; i < 50; i++) {
    time += 500;
    reporter.steps(steps, () => 0.1);
  }
  expect(text().match(/ {2}25% {2}loss 1 {2}8\.00 steps\/s {2}0:02 left\n/g)).toHaveLength(2);
});

test('on a terminal the bar is replaced by the line of its epoch, and the cursor comes back', () => {
  let time = 0;
  const { terminal, text } = screen(true);
  const reporter = textReporter(terminal, terminal, () => time);
  reporter.start(start);
  time = 1000;
  reporter.steps(steps, () => 0.1);
  expect(text()).toMatch(/epoch 1\/2 ━+─+ {2}50% {2}loss 1$/);
  reporter.epoch(epoch, 'out/checkpoint.safetensors');
  reporter.close();
  const after = text().split('\r').at(-1)?.replaceAll('\u001b', 'ESC');
  expect(after).toMatch(/^ESC\[2Kepoch 1\/2 {2}loss 2\.500.*\nESC\[\?25h$/);
});

test('JSON lines come at steps that can be known beforehand', () => {
  const lines: string[] = [];
  const reporter = jsonReporter(
    (text) => lines.push(text),
    2,
    () => 0,
  );
  reporter.start(start);
  reporter.steps(steps, (step) => 1 / (step + 1));
  reporter.epoch(epoch, 'out/checkpoint.safetensors');
  const parsed = lines.map((line) => JSON.parse(line));
  expect(parsed.map(({ event }) => event)).toEqual(['start', 'metrics', 'metrics', 'epoch']);
  expect(parsed[1]).toMatchObject({
    epoch: 1,
    step: 2,
    loss: 3,
    learningRate: 0.5,
    metrics: { 'norm-clip.norm': 1.5 },
    dropped: false,
  });
  expect(parsed[2]).toMatchObject({ step: 4, metrics: { 'norm-clip.norm': null }, dropped: false });
  expect(parsed[3]).toMatchObject({ epoch: 1, loss: 2.5, validation: { accuracy: 0.875 } });
});
