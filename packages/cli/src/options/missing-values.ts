import type { Command, Option } from 'commander';

/** Refuses an option whose value was forgotten, so that the next option would be taken for it (`--plugin --epochs 3`),
 *  or is empty, as an unset variable of the shell makes it (`--out "$RUN"`). A value that really begins like an option
 *  is written with an equals sign.
 *  @param args what comes after the name of the command */
export function refuseMissingValues(command: Command, args: readonly string[]): void {
  const options = new Map<string, Option>();
  for (const option of command.options)
    for (const flag of [option.long, option.short]) if (flag) options.set(flag, option);
  for (let i = 0; i < args.length; i++) {
    const given = args[i] as string;
    if (given === '--') return;
    const equals = given.startsWith('--') ? given.indexOf('=') : -1;
    const option = options.get(equals < 0 ? given : given.slice(0, equals));
    if (option?.required !== true) continue;
    const value = equals < 0 ? args[++i] : given.slice(equals + 1);
    if (value === '' && option.defaultValue !== '') refuse(command, option, 'its value is empty');
    if (equals >= 0 || value === undefined || !isOption(value, options)) continue;
    const meant = `if it is meant as the value, write ${given}=${value}`;
    refuse(command, option, `"${value}" follows, which is an option (${meant})`);
  }
}

function refuse(command: Command, { flags }: Option, why: string): never {
  return command.error(`error: option '${flags}' argument missing: ${why}`, {
    code: 'commander.optionMissingArgument',
  });
}

/** Known or misspelt. */
function isOption(text: string, options: ReadonlyMap<string, Option>): boolean {
  return /^--[a-z]/i.test(text) || text === '-h' || options.has(text);
}
