import type { Command, Option } from 'commander';

/** Refuses an option whose value was forgotten, so that the next option would be taken for it: `--plugin --epochs 3`.
 *  A value that really begins like an option is written with an equals sign.
 *  @param args what comes after the name of the command */
export function refuseMissingValues(command: Command, args: readonly string[]): void {
  const options = new Map<string, Option>();
  for (const option of command.options)
    for (const flag of [option.long, option.short]) if (flag) options.set(flag, option);
  for (let i = 0; i < args.length; i++) {
    const given = args[i] as string;
    if (given === '--') return;
    const option = options.get(given);
    if (option?.required !== true) continue;
    const value = args[++i];
    if (value === undefined || !isOption(value, options)) continue;
    command.error(
      `error: option '${option.flags}' argument missing: "${value}" follows, which is an option (if it is meant as the value, write ${given}=${value})`,
      { code: 'commander.optionMissingArgument' },
    );
  }
}

/** Known or misspelt. */
function isOption(text: string, options: ReadonlyMap<string, Option>): boolean {
  return /^--[a-z]/i.test(text) || text === '-h' || options.has(text);
}
