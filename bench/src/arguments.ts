/** The whole numbers above 0 among the options of a command; it ends where one is none. */
export function wholeNumbers<Name extends string>(
  values: Readonly<Record<Name, string>>,
  ...names: readonly Name[]
): Readonly<Record<Name, number>> {
  const numbers = names.map((name) => [name, Number(values[name])] as const);
  for (const [name, number] of numbers) {
    if (Number.isInteger(number) && number > 0) continue;
    process.stderr.write(`--${name} must be a whole number above 0, not ${values[name]}\n`);
    process.exit(2);
  }
  return Object.fromEntries(numbers) as Record<Name, number>;
}
