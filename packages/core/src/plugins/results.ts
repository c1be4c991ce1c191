import { GradwareError, messageOf } from '../errors.js';
import { sameShape, type Value } from '../graph/value.js';

/** Runs a hook, and checks what it returns.
 *  @param where what messages call the plugin
 *  @param known every value of the step
 *  @throws GradwareError PLUGIN_CONTRACT where it throws, or breaks the contract */
export function guarded(
  where: string,
  values: readonly Value[],
  known: ReadonlyMap<string, Value>,
  run: () => readonly Value[],
): readonly Value[] {
  let results: readonly Value[];
  try {
    results = run();
  } catch (error) {
    if (error instanceof GradwareError) throw placed(error, where);
    const reason = messageOf(error);
    throw new GradwareError('PLUGIN_CONTRACT', `A plugin failed: ${reason}`, {
      where,
      cause: error,
    });
  }
  checkResults(values, results, where);
  const foreign = results.findIndex(({ name }) => !known.has(name));
  if (foreign >= 0)
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      `A plugin returned "${results[foreign]?.name}", which is no value of this step`,
      {
        where: `${where}, gradient of ${values[foreign]?.parameter ?? values[foreign]?.name}`,
        remedy: 'Return what `op` gives: values do not outlive the step that they were made for.',
      },
    );
  return tagged(values, results);
}

/** What a plugin refuses says what is wrong; only the chain knows where the plugin stands. */
export function placed(error: GradwareError, place: string): GradwareError {
  const { code, problem, where, remedy, cause } = error;
  if (where?.includes(place)) return error;
  return new GradwareError(code, problem, {
    where: where === undefined ? place : `${place}, ${where}`,
    ...(remedy !== undefined && { remedy }),
    cause,
  });
}

/** @throws GradwareError PLUGIN_CONTRACT where a result is missing or has another type or shape */
export function checkResults(
  values: readonly Value[],
  results: readonly Value[],
  where: string,
): void {
  if (!Array.isArray(results) || results.length !== values.length)
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      `A plugin must return one result for each of ${values.length} gradients, and returned ${
        Array.isArray(results)
          ? results.length
          : results instanceof Promise
            ? 'a promise'
            : typeof results
      }`,
      {
        where,
        ...(results instanceof Promise && { remedy: 'What is async belongs into transformHost.' }),
      },
    );
  results.forEach((result, i) => {
    const value = values[i] as Value;
    if (result?.type === value.type && sameShape(result.shape, value.shape)) return;
    const given = result === undefined ? 'nothing' : `${result.type}[${result.shape}]`;
    throw new GradwareError(
      'PLUGIN_CONTRACT',
      `A plugin returned ${given} for ${value.type}[${value.shape}]`,
      {
        where: `${where}, gradient of ${value.parameter ?? value.name}`,
        remedy: 'Return one gradient for each that is given, of its type and shape.',
      },
    );
  });
}

/** Results carry the parameters of the gradients that they came from, whatever was done to them. */
export function tagged(values: readonly Value[], results: readonly Value[]): readonly Value[] {
  return results.map((result, i) => ({ ...result, parameter: values[i]?.parameter }));
}
