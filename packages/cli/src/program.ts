import { Command, CommanderError, Help, type Option } from 'commander';
import { type Context, type ExitCode, exitCodes } from './commands/context.js';
import { evalCommand } from './commands/eval.js';
import { exportCommand } from './commands/export.js';
import { generateCommand } from './commands/generate.js';
import { inspectCommand } from './commands/inspect.js';
import { pluginsCommand } from './commands/plugins.js';
import { trainCommand } from './commands/train.js';
import { refuseMissingValues } from './options/missing-values.js';
import { describeError, printError } from './output/errors.js';
import { jsonLine } from './progress/json.js';

/** Runs one command line.
 *  @param args without node and script
 *  @returns the exit code: 0 done, 1 refused or failed, 2 wrong use, 130 stopped by the user */
export async function run(
  args: readonly string[],
  context: Context,
  version: string,
): Promise<ExitCode> {
  let code: ExitCode = exitCodes.success;
  const done = (given: ExitCode) => {
    code = given;
  };
  const program = new Command('gradware')
    .description('Trains ONNX models on stock ONNX Runtime.')
    .version(version)
    .option('--verbose', 'show where errors come from', false)
    .configureHelp({ optionDescription: describeOption })
    .showHelpAfterError('(gradware --help and gradware <command> --help tell more)')
    .configureOutput({ writeOut: context.out.write, writeErr: context.err.write });
  const commands = [
    ...[trainCommand, evalCommand, exportCommand, generateCommand],
    ...[inspectCommand, pluginsCommand],
  ];
  for (const make of commands) {
    const command = make(context, done).copyInheritedSettings(program);
    program.addCommand(command.option('--verbose', 'show where errors come from', false));
  }
  for (const command of [program, ...program.commands]) command.exitOverride();
  try {
    const named = args.findIndex((arg) => !arg.startsWith('-'));
    const command = program.commands.find((each) => each.name() === args[named]);
    if (command !== undefined) refuseMissingValues(command, args.slice(named + 1));
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
    return fail(error, args, context);
  }
}

/** A default that is nothing (an empty list, off) says nothing. */
function describeOption(option: Option): string {
  const { defaultValue, description } = option;
  const saysNothing =
    defaultValue === false ||
    defaultValue === '' ||
    (typeof defaultValue === 'object' && Object.keys(defaultValue ?? {}).length === 0);
  return saysNothing ? description : Help.prototype.optionDescription(option);
}

function fail(error: unknown, args: readonly string[], { out, err, signal }: Context): ExitCode {
  const stopped = signal.aborted;
  if (args.includes('--json')) {
    const line = stopped
      ? { event: 'end', status: 'stopped' }
      : { event: 'error', ...describeError(error) };
    out.write(jsonLine(line));
  } else if (stopped) err.write('Stopped\n');
  else printError(err, error, args.includes('--verbose'));
  return stopped ? exitCodes.interrupted : exitCodes.failure;
}
