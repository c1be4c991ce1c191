import { type Command, Option } from 'commander';
import { lossNames } from './loss.js';
import { collect, collectFactors, collectPairs, parseCount, parseSign } from './parse.js';

/** Options of every command that opens a session on data. */
export interface SessionFlags {
  readonly data: string;
  readonly input: Readonly<Record<string, string>>;
  readonly label?: string;
  readonly scale: Readonly<Record<string, number>>;
  readonly delimiter?: string;
  readonly header?: boolean;
  readonly loss?: string;
  readonly weights?: string;
  readonly lossInput?: readonly string[];
  readonly provider?: string;
  readonly threads?: number;
  readonly batchSize?: number;
  readonly seed: number;
  readonly json: boolean;
}

export function addSessionOptions(command: Command): Command {
  return command
    .requiredOption(
      '--data <files>',
      '.npz, .npy, .csv, .tsv or IDX, also gzipped; several with commas between',
    )
    .option(
      '--input <name=column>',
      'the column, or columns, of a model input (repeatable)',
      collectPairs,
      {},
    )
    .option('--label <column>', "the column of the label, numbers or names: the model's last input")
    .option(
      '--scale <name=factor>',
      'multiplies a model input, as in image=1/255 (repeatable)',
      collectFactors,
      {},
    )
    .option(
      '--delimiter <sign>',
      'what separates the fields of a table (default: what its first line shows)',
      parseSign,
    )
    .option('--header', 'the first line of a table names its columns, whatever it holds')
    .option('--no-header', "the first line of a table is data: its columns are '0', '1', ...")
    .option(
      '--weights <file>',
      'begin with these weights: a .safetensors file, any checkpoint, or the --out folder of a run; all names have to fit',
    )
    .option('--loss <loss>', `for a forward model: ${lossNames.join(', ')}, or an .onnx file`)
    .option(
      '--loss-input <output>',
      'for a forward model: an output, or a value within it, that goes to the loss (repeatable; default: the first output)',
      collect,
    )
    .option(
      '--batch-size <n>',
      'examples in a step (default: 32, or what the model is made for)',
      parseCount(1),
    )
    .option(
      '--seed <n>',
      'decides the order of the examples and all random numbers',
      parseCount(0),
      0,
    )
    .option(
      '--provider <names>',
      'cpu, cuda, webgpu or auto; several with commas between are tried in order',
    )
    .option('--threads <n>', 'threads that a step may use (default: all cores)', parseCount(1))
    .addOption(new Option('--json', 'one JSON object a line, and nothing else').default(false));
}
