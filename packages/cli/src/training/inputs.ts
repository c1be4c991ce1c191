import { type CheckDataOptions, type DataType, type Feeds, GradwareError } from '@gradware/core';
import { Tensor, type TrainingSession } from '@gradware/core/node';
import { type Dataset, readDataset, toInputs, type WantedInput } from '@gradware/data/node';

export interface MappingOptions {
  /** Columns by model input. */
  readonly input: Readonly<Record<string, string>>;
  /** The column of the label: for the model's last input. */
  readonly label?: string | undefined;
  /** Factors by model input. */
  readonly scale: Readonly<Record<string, number>>;
  /** What separates the fields of a table; what its first line shows if not given. */
  readonly delimiter?: string | undefined;
  /** Whether the first line of a table names its columns. */
  readonly header?: boolean | undefined;
}

/** The names of the classes, by column, in the order of their numbers. */
export type Classes = Readonly<Record<string, readonly string[]>>;

/** Reads data and fits it to the inputs of a model. A label may be a name, which becomes a number: its place among
 *  those found, sorted.
 *  @param known what was found in the data that the model was trained on; then there are no other names
 *  @throws GradwareError FILE, INVALID_DATA, INVALID_OPTION */
async function readInputs(
  source: string,
  session: Pick<TrainingSession, 'trainingInputs'>,
  options: MappingOptions,
  known?: Classes,
): Promise<{ readonly data: Dataset; readonly classes: Classes }> {
  const { label, input, delimiter, header } = options;
  const found = label === undefined ? {} : { [label]: 'found' as const };
  const own = session.trainingInputs.map(({ name }) => name);
  const dataset = await readDataset(source, {
    classes: known ?? found,
    rowsOf: [...own, ...Object.values(input), ...(label === undefined ? [] : [label])],
    ...(delimiter !== undefined && { delimiter }),
    ...(header !== undefined && { header }),
  });
  return {
    data: fitInputs(dataset, session, options),
    classes: Object.fromEntries(dataset.classes ?? []),
  };
}

/** Reads data as `readInputs` does, and has the session look through it: what is wrong in the last row shall not come
 *  to light after an hour.
 *  @throws GradwareError INVALID_DATA naming file, input, row and value */
export async function readChecked(
  source: string,
  session: Pick<TrainingSession, 'trainingInputs' | 'checkData'>,
  { batchSize, signal, ...options }: MappingOptions & CheckDataOptions,
  known?: Classes,
): Promise<{ readonly data: Dataset; readonly classes: Classes }> {
  const read = await readInputs(source, session, options, known);
  if (read.data.length === 0)
    throw new GradwareError('INVALID_DATA', 'The data holds no examples', {
      where: source,
      remedy: 'Give files with at least one example.',
    });
  try {
    await session.checkData(toFeeds(read.data), { batchSize, signal });
  } catch (error) {
    if (!(error instanceof GradwareError) || error.code !== 'INVALID_DATA') throw error;
    const { code, problem, where, remedy, cause } = error;
    throw new GradwareError(code, problem, {
      where: where === undefined ? source : `${source}, ${where}`,
      remedy: namesRemedy(read.classes) ?? remedy ?? 'Correct the data.',
      cause,
    });
  }
  return read;
}

/** Labels that were names are numbers from 0: too large where there are more names than classes. */
function namesRemedy(classes: Classes): string | undefined {
  const [[column, names] = []] = Object.entries(classes);
  if (column === undefined || names === undefined) return undefined;
  const some = names.slice(0, 20).join(', ');
  return `The column "${column}" holds ${names.length} names, numbered from 0 as they are sorted: ${some}${names.length > 20 ? ', ...' : ''}. Give the model an output for each, or correct the names.`;
}

/** Fits a data set to the inputs of a model. */
function fitInputs(
  dataset: Dataset,
  session: Pick<TrainingSession, 'trainingInputs'>,
  options: MappingOptions,
): Dataset {
  const wanted = session.trainingInputs.map(({ name, type, shape }): WantedInput => {
    if (type === undefined || !(shape && isTensorType(type)))
      throw new GradwareError(
        'UNSUPPORTED',
        `The model input "${name}" cannot be filled from data`,
        {
          where: `its type is ${type ?? 'unknown'}, its rank ${shape === undefined ? 'unknown' : shape.length}`,
          remedy: 'Export the model with inputs of a known type and rank.',
        },
      );
    return { name, type, shape };
  });
  return toInputs(dataset, wanted, withLabel(wanted, options), { scale: options.scale });
}

const notTensors: ReadonlySet<string> = new Set(['sequence', 'optional', 'sparse', 'map']);

function isTensorType(type: string): type is DataType {
  return !notTensors.has(type);
}

function withLabel(
  wanted: readonly WantedInput[],
  { input, label }: MappingOptions,
): Readonly<Record<string, string>> {
  const last = wanted.at(-1)?.name;
  if (label === undefined || last === undefined) return input;
  if (!Object.hasOwn(input, last)) return { ...input, [last]: label };
  throw new GradwareError('INVALID_OPTION', `The input "${last}" is given twice`, {
    where: `--label ${label} and --input ${last}=${input[last]}`,
    remedy: 'Leave one of them out.',
  });
}

/** The columns as tensors, in the same memory. */
export function toFeeds(dataset: Dataset): Feeds {
  return Object.fromEntries(
    [...dataset.columns].map(([name, { type, data, shape }]) => [
      name,
      // The types of the overloads name each element type; a data set knows it at run time.
      new Tensor(type as 'float32', data as Float32Array, shape),
    ]),
  );
}
