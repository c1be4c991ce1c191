import { basename } from 'node:path';
import { evaluate, GradwareError, valueAt } from '@gradware/core';
import type { TrainingSession } from '@gradware/core/node';
import { Command, Option } from 'commander';
import { optimizerNames } from '../options/optimizer.js';
import { collect, parseCount, parseValidation } from '../options/parse.js';
import { parseRunSchedule, scheduleNames } from '../options/schedule.js';
import { addSessionOptions } from '../options/shared.js';
import type { TrainFlags } from '../options/train-flags.js';
import { inFlags } from '../output/flags.js';
import { searchRoots } from '../plugins/find.js';
import { jsonReporter } from '../progress/json.js';
import type { Reporter } from '../progress/reporter.js';
import { textReporter } from '../progress/text.js';
import { openSession } from '../training/open-session.js';
import { checkOutput, findCheckpoint, findModel, isFolder } from '../training/output-folder.js';
import { pluginNames, precisions, readPlan } from '../training/plan.js';
import { describeRun, planRun } from '../training/run-data.js';
import { compareRecords, type RunRecord, readRecord } from '../training/run-record.js';
import { checkSchedules } from '../training/schedules.js';
import { runTraining } from '../training/train-run.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

const examples = `
Examples:
  gradware train artifacts/ --data train.npz --val 0.2 --plugin norm-clip:max-norm=1 --epochs 20
  gradware train model.onnx --data train.csv --label species --loss cross-entropy \\
      --optimizer adamw:lr=3e-4,weight-decay=0.1 --schedule cosine:warmup=100 --out runs/iris
  gradware train model.onnx --data train.npz --group head:match=head.*,lr=0.01 \\
      --optimizer head/sgd:momentum=0.9 --plugin head/norm-clip:max-norm=1
  gradware train artifacts/ --data train.npz --epochs 20 --resume gradware-out`;

export function trainCommand(context: Context, done: (code: ExitCode) => void): Command {
  return addSessionOptions(new Command('train'))
    .description('train an ONNX model, or training artifacts')
    .argument('<model>', 'a folder of training artifacts, or a forward model (.onnx)')
    .option(
      '--val <file|fraction>',
      'data to validate on after each epoch, or how much of --data to hold out',
      parseValidation,
    )
    .option(
      '--optimizer <spec>',
      `${optimizerNames.join(', ')}; options after a colon: adamw:lr=1e-3,weight-decay=0.01`,
      collect,
      [],
    )
    .option(
      '--schedule <spec>',
      `of the learning rate, over the whole run: ${scheduleNames.join(', ')}; each with warm-up: cosine:warmup=100,to=1e-5`,
    )
    .option(
      '--train <glob>',
      'train only these parameters of a forward model (repeatable)',
      collect,
    )
    .option(
      '--freeze <glob>',
      'leave these parameters of a forward model as they are (repeatable)',
      collect,
    )
    .addOption(
      new Option(
        '--batch-norm <mode>',
        'of a forward model: train, or frozen at the running statistics (default: as exported)',
      ).choices(['train', 'frozen']),
    )
    .option(
      '--plugin <spec>',
      'a gradient plugin: norm-clip:max-norm=1 (repeatable; in this order)',
      collect,
      [],
    )
    .addOption(
      new Option(
        '--precision <type>',
        'float16 computes forward and backward pass in half precision, with loss-scale first in the chain',
      )
        .choices(precisions)
        .default('float32'),
    )
    .option(
      '--group <spec>',
      'parameters with an optimizer, rate and plugins of their own: --group head:match=head.*,lr=0.01 --plugin head/norm-clip (repeatable)',
      collect,
      [],
    )
    .option('--epochs <n>', 'passes over the data', parseCount(1), 10)
    .option('--out <folder>', 'for the checkpoint and the trained model', 'gradware-out')
    .option('--resume <path>', 'go on from a checkpoint, or from the --out folder of a run')
    .option('--checkpoint-every <steps>', 'also write a checkpoint inside epochs', parseCount(1))
    .option(
      '--log-every <steps>',
      'with --json: steps between two lines of metrics',
      parseCount(1),
      10,
    )
    .addHelpText('after', examples)
    .action(async (model: string, flags: TrainFlags) =>
      done(await trainModel(model, flags, context)),
    );
}

async function trainModel(path: string, flags: TrainFlags, context: Context): Promise<ExitCode> {
  const { out: terminal, err, signal, cwd } = context;
  const began = performance.now();
  const schedule = flags.schedule === undefined ? undefined : parseRunSchedule(flags.schedule);
  const plan = await readPlan(flags, searchRoots(cwd));
  await checkOutput(flags.out);
  const checkpoint = flags.resume === undefined ? undefined : await findCheckpoint(flags.resume);
  const { model } = await findModel(path);
  const session = await openSession({
    model,
    flags,
    train: flags.train,
    freeze: flags.freeze,
    batchNorm: flags.batchNorm,
    ...plan,
    signal,
  });
  const reporter: Reporter = flags.json
    ? jsonReporter(terminal.write, flags.logEvery)
    : textReporter(terminal, err);
  try {
    for (const warning of session.warnings) reporter.warning(inFlags(warning));
    const run = await planRun(session, flags, signal);
    if (schedule !== undefined) {
      refuseTwoSchedules(session, flags);
      const learningRate = valueAt(session.learningRate, 0);
      session.learningRate = schedule({ learningRate, steps: flags.epochs * run.stepsPerEpoch });
    }
    const artifacts = (await isFolder(model)) ? model : undefined;
    const now = describeRun(flags, run, artifacts);
    const record = await resume(session, checkpoint, now, reporter);
    refuseEnded(record, flags, checkpoint);
    checkSchedules(session, flags.epochs * run.stepsPerEpoch);
    // Whatever does not fit in it comes to light now, not after the first epoch.
    const before = run.validation && (await evaluate(session, run.validation.data, run.validation));
    reporter.start({
      model: path,
      provider: session.provider,
      plugins: pluginNames(plan),
      trainable: session.trainableNames.length,
      frozen: session.frozenNames.length,
      examples: run.examples,
      validation: before,
      batchSize: run.batchSize,
      epochs: flags.epochs,
      stepsPerEpoch: run.stepsPerEpoch,
      step: session.stepCount,
      resumed: checkpoint !== undefined,
      seed: flags.seed,
      out: flags.out,
    });
    if (run.leftOut !== undefined) reporter.warning(run.leftOut);
    if (record.position.epoch === flags.epochs)
      reporter.warning(`all ${flags.epochs} epochs are done: to go on, give more --epochs`);
    const finished = await runTraining({
      session,
      data: run.data,
      validation: run.validation,
      before,
      epochs: flags.epochs,
      record,
      resumedFrom: checkpoint,
      dropLast: run.dropLast,
      out: flags.out,
      checkpointEvery: flags.checkpointEvery,
      reporter,
      learningRate: (step) => valueAt(session.learningRate, step),
      signal,
    });
    const seconds = (performance.now() - began) / 1000;
    reporter.end({ ...finished, step: session.stepCount, seconds });
    return finished.status === 'completed' ? exitCodes.success : exitCodes.interrupted;
  } finally {
    reporter.close();
    await session.release();
  }
}

/** A rate that begins with 0, as one with warm-up does, would stay there. */
function refuseTwoSchedules(
  { learningRate }: TrainingSession,
  { optimizer, schedule }: TrainFlags,
): void {
  if (typeof learningRate !== 'function') return;
  throw new GradwareError('INVALID_OPTION', 'The learning rate has two schedules', {
    where: `${optimizer.map((spec) => `--optimizer ${spec}`).join(' ')} --schedule ${schedule}`,
    remedy: 'Give lr as a number, from which --schedule goes on, or leave --schedule out.',
  });
}

function refuseEnded(
  { position }: RunRecord,
  { epochs, out }: TrainFlags,
  checkpoint: string | undefined,
): void {
  if (position.epoch <= epochs) return;
  throw new GradwareError(
    'INVALID_OPTION',
    `The run is beyond that: ${position.epoch} epochs are done, not ${epochs}`,
    {
      where: checkpoint ?? out,
      remedy: `Give --epochs ${position.epoch}, or more to go on.`,
    },
  );
}

async function resume(
  session: TrainingSession,
  checkpoint: string | undefined,
  record: RunRecord,
  reporter: Reporter,
): Promise<RunRecord> {
  if (checkpoint === undefined) return record;
  await session.loadCheckpoint(checkpoint);
  const before = readRecord(session.metadata, checkpoint);
  for (const warning of compareRecords(record, before, basename(checkpoint)))
    reporter.warning(warning);
  return { ...record, position: before.position };
}
