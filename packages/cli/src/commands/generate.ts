import { generateArtifacts } from '@gradware/core/node';
import { Command, InvalidArgumentError } from 'commander';
import { artifactOptimizerNames, parseArtifactOptimizer } from '../options/artifact-optimizer.js';
import { lossNames, parseLoss } from '../options/loss.js';
import { collect, collectFactors } from '../options/parse.js';
import { inFlags } from '../output/flags.js';
import { style } from '../output/terminal.js';
import { formatCount } from '../progress/format.js';
import { jsonLine } from '../progress/json.js';
import { checkOutput, writeOutputs } from '../training/output-folder.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

interface GenerateFlags {
  readonly out: string;
  readonly loss: string;
  readonly lossInput?: readonly string[];
  readonly optimizer: string;
  readonly clipGradNorm?: number;
  readonly train?: readonly string[];
  readonly freeze?: readonly string[];
  readonly output?: readonly string[];
  readonly dim: Readonly<Record<string, number>>;
  readonly prefix: string;
  readonly nominal: boolean;
  readonly json: boolean;
}

export function generateCommand(context: Context, done: (code: ExitCode) => void): Command {
  return new Command('generate')
    .description('training artifacts of a forward model, as ONNX Runtime’s own tool writes them')
    .argument('<model>', 'a forward model (.onnx)')
    .requiredOption('--out <folder>', 'where training_model.onnx and the others are written')
    .option(
      '--loss <loss>',
      `${lossNames.join(', ')}, or an .onnx file; none where the model's output is the loss`,
      'cross-entropy',
    )
    .option(
      '--loss-input <output>',
      'an output that goes to the loss (repeatable; default: the first)',
      collect,
    )
    .option('--optimizer <optimizer>', artifactOptimizerNames.join(', '), 'adamw')
    .option('--clip-grad-norm <norm>', 'the optimizer clips the gradients to this norm', parseNorm)
    .option('--train <glob>', 'parameters to train (repeatable)', collect)
    .option('--freeze <glob>', 'parameters to keep, as inputs of the models (repeatable)', collect)
    .option('--output <value>', 'a value to give back beside the loss (repeatable)', collect)
    .option(
      '--dim <name=size>',
      'fixes an open dimension of the inputs (repeatable)',
      collectFactors,
      {},
    )
    .option('--prefix <text>', 'in front of each file name', parsePrefix, '')
    .option('--nominal', 'also write a checkpoint without values', false)
    .option('--json', 'one JSON object, and nothing else', false)
    .action(async (model: string, flags: GenerateFlags) =>
      done(await generate(model, flags, context)),
    );
}

async function generate(
  model: string,
  flags: GenerateFlags,
  { out, err }: Context,
): Promise<ExitCode> {
  await checkOutput(flags.out);
  const artifacts = await generateArtifacts(model, {
    loss: flags.loss === 'none' ? null : parseLoss(flags.loss),
    lossInputNames: flags.lossInput,
    optimizer: parseArtifactOptimizer(flags.optimizer, flags.clipGradNorm),
    requiresGrad: flags.train,
    frozenParams: flags.freeze,
    additionalOutputNames: flags.output,
    nominalCheckpoint: flags.nominal,
    dimensions: flags.dim,
    prefix: flags.prefix,
  });
  const written = await writeOutputs(flags.out, artifacts.files);
  if (flags.json) {
    const { withoutOrtKernel, warnings } = artifacts;
    out.write(jsonLine({ event: 'artifacts', files: written, withoutOrtKernel, warnings }));
    return exitCodes.success;
  }
  for (const { path, bytes } of written) out.write(`${path} (${formatCount(bytes)} bytes)\n`);
  for (const warning of artifacts.warnings)
    err.write(`${style(err, 'yellow', 'warning:')} ${inFlags(warning)}\n`);
  return exitCodes.success;
}

function parsePrefix(text: string): string {
  if (!/[/\\]/.test(text)) return text;
  throw new InvalidArgumentError('It is part of a file name: give the folder with --out.');
}

function parseNorm(text: string): number {
  const norm = Number(text);
  if (text.trim() !== '' && norm > 0 && Number.isFinite(norm)) return norm;
  throw new InvalidArgumentError('It has to be a number above 0.');
}
