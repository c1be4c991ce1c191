import { dirname, resolve } from 'node:path';
import { evaluate, GradwareError } from '@gradware/core';
import { Command } from 'commander';
import { addSessionOptions, type SessionFlags } from '../options/shared.js';
import { style } from '../output/terminal.js';
import { formatCount } from '../progress/format.js';
import { jsonLine } from '../progress/json.js';
import { describeEvaluation } from '../progress/text.js';
import { chooseBatchSize } from '../training/batch-size.js';
import { type Classes, readChecked, toFeeds } from '../training/inputs.js';
import { judging, leftOut } from '../training/judging.js';
import { openSession } from '../training/open-session.js';
import { findCheckpoint, findModel, isFolder } from '../training/output-folder.js';
import { type RunRecord, recordIn } from '../training/run-record.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

interface EvalFlags extends SessionFlags {
  readonly checkpoint?: string;
}

export function evalCommand(context: Context, done: (code: ExitCode) => void): Command {
  return addSessionOptions(new Command('eval'))
    .description('the loss, and for classifiers the accuracy, of a model on data')
    .argument(
      '<model>',
      'a forward model (.onnx), a folder of training artifacts, or the --out folder of a run',
    )
    .option(
      '--checkpoint <path>',
      'with the weights of this checkpoint, or of the --out folder of a run',
    )
    .action(async (model: string, flags: EvalFlags) =>
      done(await evalModel(model, flags, context)),
    );
}

async function evalModel(path: string, asked: EvalFlags, context: Context): Promise<ExitCode> {
  const { out: terminal, err, signal } = context;
  const given = asked.checkpoint;
  const found = await findModel(path);
  const source = given === undefined ? found.checkpoint : await findCheckpoint(given);
  const record = source === undefined ? undefined : await recordIn(source);
  const { artifacts } = record?.reading ?? {};
  const isRun = found.checkpoint !== undefined && source !== undefined;
  const fromArtifacts = isRun && artifacts !== undefined && asked.loss === undefined;
  const model = fromArtifacts ? await artifactsOf(source, artifacts) : found.model;
  const flags = await asTrained(asked, model, record);
  const session = await openSession({ model, flags, signal });
  const checkpoint =
    given !== undefined || (fromArtifacts && flags.weights === undefined) ? source : undefined;
  try {
    if (checkpoint !== undefined) await session.loadCheckpoint(checkpoint);
    const known = source === undefined ? undefined : (record?.classes ?? {});
    const { data, classes } = await readChecked(flags.data, session, { ...flags, signal }, known);
    if (known === undefined) refuseNames(classes, flags);
    const { evaluation } = chooseBatchSize(flags.batchSize, session);
    const { batchSize } = flags;
    const options = { ...(batchSize !== undefined && { batchSize }), ...evaluation };
    const warning = leftOut(data.length, options);
    const result = await evaluate(session, toFeeds(data), {
      ...options,
      ...judging(flags, session),
      signal,
    });
    if (flags.json) terminal.write(jsonLine({ event: 'evaluation', model: path, ...result }));
    else {
      if (warning !== undefined) err.write(`${style(err, 'yellow', 'warning:')} ${warning}\n`);
      const [loss = '', ...rest] = describeEvaluation(result);
      for (const line of [loss, ...rest]) terminal.write(`${style(terminal, 'bold', line)}\n`);
      terminal.write(`${formatCount(result.examples)} examples\n`);
    }
    return exitCodes.success;
  } finally {
    await session.release();
  }
}

/** The artifacts that a run trained: they hold its loss, which the model that it left does not.
 *  @throws GradwareError FILE where they are no longer there */
async function artifactsOf(checkpoint: string, artifacts: string): Promise<string> {
  const folder = resolve(dirname(checkpoint), artifacts);
  if (await isFolder(folder)) return folder;
  throw new GradwareError('FILE', 'The loss of this run is in artifacts that are no longer there', {
    where: folder,
    remedy:
      'Give the folder of artifacts, and that of the run with --checkpoint; or say with --loss what to compute.',
  });
}

/** What is not said is as it was in training. Artifacts hold their loss. */
async function asTrained(
  flags: EvalFlags,
  model: string,
  record: RunRecord | undefined,
): Promise<EvalFlags> {
  const { input, label, scale, loss, lossInput } = record?.reading ?? {};
  const holdsLoss = await isFolder(model);
  return {
    ...(label !== undefined && { label }),
    ...(loss !== undefined && !holdsLoss && { loss }),
    ...(lossInput !== undefined && !holdsLoss && flags.loss === undefined && { lossInput }),
    ...flags,
    input: { ...input, ...flags.input },
    scale: { ...scale, ...flags.scale },
  };
}

/** Which number a name has, only the run that trained the model knows. */
function refuseNames(classes: Classes, { data }: EvalFlags): void {
  const [column] = Object.keys(classes);
  if (column === undefined) return;
  throw new GradwareError('INVALID_DATA', `The column "${column}" holds names, not numbers`, {
    where: data,
    remedy: 'Give --checkpoint with the --out folder of the run: it knows the number of each name.',
  });
}
