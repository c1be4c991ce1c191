import { evaluate, GradwareError } from '@gradware/core';
import { Command } from 'commander';
import { addSessionOptions, type SessionFlags } from '../options/shared.js';
import { style } from '../output/terminal.js';
import { formatCount } from '../progress/format.js';
import { jsonLine } from '../progress/json.js';
import { describeEvaluation } from '../progress/text.js';
import { chooseBatchSize } from '../training/batch-size.js';
import { type Classes, readInputs, toFeeds } from '../training/inputs.js';
import { openSession } from '../training/open-session.js';
import { findCheckpoint } from '../training/output-folder.js';
import { classesIn } from '../training/run-record.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

interface EvalFlags extends SessionFlags {
  readonly checkpoint?: string;
}

export function evalCommand(context: Context, done: (code: ExitCode) => void): Command {
  return addSessionOptions(new Command('eval'))
    .description('the loss, and for classifiers the accuracy, of a model on data')
    .argument('<model>', 'a folder of training artifacts, or a forward model (.onnx)')
    .option(
      '--checkpoint <path>',
      'with the weights of this checkpoint, or of the --out folder of a run',
    )
    .action(async (model: string, flags: EvalFlags) =>
      done(await evalModel(model, flags, context)),
    );
}

async function evalModel(model: string, flags: EvalFlags, context: Context): Promise<ExitCode> {
  const { out: terminal, signal } = context;
  const given = flags.checkpoint;
  const checkpoint = given === undefined ? undefined : await findCheckpoint(given);
  const session = await openSession({ model, flags, signal });
  try {
    if (checkpoint !== undefined) await session.loadCheckpoint(checkpoint);
    const known = checkpoint === undefined ? undefined : classesIn(session.metadata);
    const { data, classes } = await readInputs(flags.data, session, flags, known);
    if (known === undefined) refuseNames(classes, flags);
    const labels = flags.label === undefined ? undefined : session.trainingInputNames.at(-1);
    const { evaluation } = chooseBatchSize(flags.batchSize, session);
    const { batchSize } = flags;
    const options = { ...(batchSize !== undefined && { batchSize }), ...evaluation };
    const found = await evaluate(session, toFeeds(data), { ...options, labels, signal });
    if (flags.json) terminal.write(jsonLine({ event: 'evaluation', model, ...found }));
    else {
      const [loss = '', ...rest] = describeEvaluation(found);
      for (const line of [loss, ...rest]) terminal.write(`${style(terminal, 'bold', line)}\n`);
      terminal.write(`${formatCount(found.examples)} examples\n`);
    }
    return exitCodes.success;
  } finally {
    await session.release();
  }
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
