import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { GradwareError, inspectModel, lossFunction, nearest } from '@gradware/core';
import { convertArtifacts, nodeRuntime, TrainingSession } from '@gradware/core/node';
import { Command, Option } from 'commander';
import { collect } from '../options/parse.js';
import { formatCount } from '../progress/format.js';
import { jsonLine } from '../progress/json.js';
import {
  checkOutput,
  type FoundModel,
  findCheckpoint,
  findModel,
  findWeights,
  writeOutputs,
} from '../training/output-folder.js';
import { recordIn } from '../training/run-record.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

const formats = ['model', 'weights', 'checkpoint', 'artifacts'] as const;
type Format = (typeof formats)[number];

interface ExportFlags {
  readonly out: string;
  readonly format?: Format;
  readonly checkpoint?: string;
  readonly weights?: string;
  readonly output?: readonly string[];
  readonly type?: 'float32' | 'float64' | 'float16' | 'bfloat16';
  readonly trainableOnly: boolean;
  readonly optimizerState: boolean;
  readonly json: boolean;
}

const help = `
Formats:
  model       an inference model (.onnx)
  weights     the parameters by name (.safetensors)
  checkpoint  one that ONNX Runtime's own training runtime loads (1.18 and 1.19)
  artifacts   a folder: training_model.onnx and the others, of artifacts of any age

Examples:
  gradware export artifacts/ --checkpoint gradware-out --out model.onnx
  gradware export model.onnx --checkpoint gradware-out --out weights.safetensors --type float16
  gradware export model.onnx --weights weights.safetensors --out trained.onnx
  gradware export old-artifacts/ --format artifacts --out artifacts`;

export function exportCommand(context: Context, done: (code: ExitCode) => void): Command {
  return new Command('export')
    .description(
      'write a trained model, its weights or a checkpoint in a form that other tools read',
    )
    .argument('<model>', 'a folder of training artifacts, or a forward model (.onnx)')
    .requiredOption('--out <path>', 'the file to write; for artifacts the folder')
    .addOption(
      new Option('--format <format>', 'default: by the ending of --out').choices([...formats]),
    )
    .option(
      '--checkpoint <path>',
      'with the state of this checkpoint, or of the --out folder of a run',
    )
    .option(
      '--weights <file>',
      'with these weights (.safetensors, any checkpoint, or the --out folder of a run)',
    )
    .option('--output <value>', 'for a model: an output it shall have (repeatable)', collect)
    .addOption(
      new Option('--type <type>', 'for weights: converts floating-point values').choices([
        ...['float32', 'float64', 'float16', 'bfloat16'],
      ]),
    )
    .option('--trainable-only', 'for weights: leaves out what is frozen', false)
    .option('--no-optimizer-state', 'for a checkpoint: the parameters only')
    .option('--json', 'one JSON object, and nothing else', false)
    .addHelpText('after', help)
    .action(async (model: string, flags: ExportFlags) =>
      done(await exportModel(model, flags, context)),
    );
}

const endings: readonly (readonly [RegExp, Format])[] = [
  [/\.onnx$/i, 'model'],
  [/\.safetensors$/i, 'weights'],
  [/(^|[\\/.])(checkpoint|ckpt)$/i, 'checkpoint'],
];

/** @throws GradwareError INVALID_OPTION where the name of the file does not tell */
function formatOf({ format, out }: ExportFlags): Format {
  const found = format ?? endings.find(([ending]) => ending.test(out))?.[1];
  if (found !== undefined) return found;
  throw new GradwareError(
    'INVALID_OPTION',
    `The name "${basename(out)}" does not tell the format`,
    {
      where: `--out ${out}`,
      remedy: `Add --format with one of ${formats.join(', ')}.`,
    },
  );
}

/** @throws GradwareError INVALID_OPTION for what the format has no use for: to ignore it would write something else
 *  than was asked for */
function refuseUseless(format: Format, flags: ExportFlags): void {
  const uses = [
    ['--output', flags.output !== undefined, ['model']],
    ['--type', flags.type !== undefined, ['weights']],
    ['--trainable-only', flags.trainableOnly, ['weights']],
    ['--no-optimizer-state', !flags.optimizerState, ['checkpoint']],
    ['--weights', flags.weights !== undefined, ['model', 'weights', 'checkpoint']],
  ] as const;
  for (const [flag, given, fits] of uses)
    if (given && !fits.some((each) => each === format))
      throw new GradwareError('INVALID_OPTION', `${flag} is not for ${format}`, {
        remedy: `Leave it out, or choose --format ${nearest(format, fits)[0] ?? fits.join(' or ')}.`,
      });
}

/** What is exported has no loss: any function of the outputs finds the same parameters. */
const anyLoss = lossFunction('any', ({ op, predictions }) => {
  const [first] = predictions.map((prediction) => op.mean(op.Mul(prediction, prediction)));
  return first ?? op.scalar(0);
});

async function exportModel(
  path: string,
  flags: ExportFlags,
  { out: terminal }: Context,
): Promise<ExitCode> {
  const format = formatOf(flags);
  refuseUseless(format, flags);
  const folder = format === 'artifacts' ? flags.out : dirname(flags.out);
  await checkOutput(folder);
  const found = await findModel(path);
  const checkpoint =
    flags.checkpoint === undefined ? undefined : await findCheckpoint(flags.checkpoint);
  const files =
    format === 'artifacts'
      ? (await convertArtifacts(found.model, { checkpointState: checkpoint })).files
      : new Map([[basename(flags.out), await exported(found, format, checkpoint, flags)]]);
  const written = await writeOutputs(folder, files);
  if (flags.json) terminal.write(jsonLine({ event: 'export', format, files: written }));
  else
    for (const { path, bytes } of written)
      terminal.write(`${path} (${formatCount(bytes)} bytes)\n`);
  return exitCodes.success;
}

/** A session on artifacts, or on a forward model with the first of its outputs that a loss can be computed from:
 *  classifiers give labels before scores.
 *  @param known what went to the loss when the model was trained */
async function openForExport(
  model: string,
  known: readonly string[] | undefined,
): Promise<TrainingSession> {
  const isFolder = await stat(model).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return TrainingSession.create(model);
  const open = (lossInputNames: readonly string[] | undefined) =>
    TrainingSession.create(model, { loss: anyLoss, lossInputNames });
  try {
    return await open(known);
  } catch (error) {
    const outputs = await inspectModel(nodeRuntime.files, model).then(
      (found) => found.outputs,
      () => [],
    );
    for (const { name } of outputs) {
      const session = await open([name]).catch(() => undefined);
      if (session !== undefined) return session;
    }
    throw error;
  }
}

async function exported(
  { model, checkpoint: own }: FoundModel,
  format: Exclude<Format, 'artifacts'>,
  checkpoint: string | undefined,
  flags: ExportFlags,
): Promise<Uint8Array> {
  const source = checkpoint ?? own;
  const record = source === undefined ? undefined : await recordIn(source);
  const lossInput = record?.reading?.lossInput;
  const session = await openForExport(model, lossInput);
  try {
    if (checkpoint !== undefined) await session.loadCheckpoint(checkpoint);
    if (flags.weights !== undefined) await session.importWeights(await findWeights(flags.weights));
    if (format === 'model') return await session.exportModel({ outputs: flags.output });
    if (format === 'weights')
      return await session.exportWeights({
        type: flags.type,
        trainableOnly: flags.trainableOnly,
      });
    const includeOptimizerState = flags.optimizerState;
    return await session.checkpoint({ format: 'ort', includeOptimizerState });
  } finally {
    await session.release();
  }
}
