import { open } from 'node:fs/promises';
import { GradwareError, type Position } from '@gradware/core';

/** What a checkpoint says of the run that wrote it: all that decides which examples come when. */
export interface RunRecord {
  readonly position: Position;
  readonly seed: number;
  readonly batchSize: number;
  readonly examples: number;
  /** By column, the names of the classes in the order of their numbers, where the data has names. */
  readonly classes?: Readonly<Record<string, readonly string[]>>;
  /** How the data is read, and what is minimised: what an evaluation has to do as well. */
  readonly reading?: Reading;
  /** What else shapes the run, as it was written: a change is allowed, and worth a word. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Options that training and evaluation share. */
export interface Reading {
  readonly input?: Readonly<Record<string, string>>;
  readonly label?: string;
  readonly scale?: Readonly<Record<string, number>>;
  readonly loss?: string;
  readonly lossInput?: readonly string[];
  /** The folder of artifacts that hold the loss, as it is found from that of the run. */
  readonly artifacts?: string;
}

const key = 'gradware.run';

export function writeRecord(record: RunRecord): Readonly<Record<string, string>> {
  return { [key]: JSON.stringify(record) };
}

/** @throws GradwareError INVALID_CHECKPOINT for a checkpoint that no run of the command line wrote */
export function readRecord(metadata: Readonly<Record<string, string>>, file: string): RunRecord {
  const text = metadata[key];
  const record = text === undefined ? undefined : parse(text);
  if (record !== undefined) return record;
  throw new GradwareError('INVALID_CHECKPOINT', 'The checkpoint does not say where its run stood', {
    where: file,
    remedy: 'Resume from a checkpoint that `gradware train` wrote.',
  });
}

/** What a run noted in its checkpoint, without reading the tensors; undefined for a checkpoint that no run wrote. */
export async function recordIn(checkpoint: string): Promise<RunRecord | undefined> {
  const file = await open(checkpoint);
  try {
    const { buffer } = await file.read(new Uint8Array(8), 0, 8, 0);
    const length = Number(new DataView(buffer.buffer).getBigUint64(0, true));
    if (length > (await file.stat()).size) return undefined;
    const header = await file.read(new Uint8Array(length), 0, length, 8);
    const { __metadata__ } = fields(JSON.parse(new TextDecoder().decode(header.buffer)));
    const text = fields(__metadata__)[key];
    return typeof text === 'string' ? parse(text) : undefined;
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

function parse(text: string): RunRecord | undefined {
  try {
    const record: unknown = JSON.parse(text);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function isRecord(value: unknown): value is RunRecord {
  const { position, seed, batchSize, examples, settings, classes, reading } = fields(value);
  const { epoch, batch } = fields(position);
  const counts = [epoch, batch, seed, batchSize, examples];
  const texts = Object.values(fields(settings));
  const names = Object.values(fields(classes));
  return (
    counts.every(isCount) && areTexts(texts) && names.every(areTexts) && isReading(fields(reading))
  );
}

function isReading(reading: Readonly<Record<string, unknown>>) {
  const { input, label, scale, loss, lossInput, artifacts } = reading;
  const texts = [label, loss, artifacts].filter((text) => text !== undefined);
  return (
    areTexts([...texts, ...Object.values(fields(input))]) &&
    areTexts(lossInput ?? []) &&
    Object.values(fields(scale)).every(Number.isFinite)
  );
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function describeClasses({ classes = {} }: RunRecord): string {
  return Object.values(classes).flat().join(', ') || 'numbers';
}

/** Checks that a run can go on exactly where the record stands.
 *  @returns warnings about what changes on the way
 *  @throws GradwareError INVALID_OPTION where the examples would come in another order */
export function compareRecords(now: RunRecord, before: RunRecord, file: string): readonly string[] {
  const fixed = [
    ['--seed', now.seed, before.seed],
    ['--batch-size', now.batchSize, before.batchSize],
    ['training examples', now.examples, before.examples],
    ['classes', describeClasses(now), describeClasses(before)],
  ] as const;
  for (const [name, is, was] of fixed)
    if (is !== was)
      throw new GradwareError('INVALID_OPTION', `The run had ${was} as ${name}, not ${is}`, {
        where: file,
        remedy:
          'A run goes on exactly only with the same seed, batch size and data. To start anew from these weights, give the checkpoint with --weights, not with --resume.',
      });
  const names = new Set([...Object.keys(now.settings), ...Object.keys(before.settings)]);
  return [...names]
    .filter((name) => now.settings[name] !== before.settings[name])
    .map(
      (name) =>
        `the run goes on with ${name} ${now.settings[name] ?? '(none)'}; until here it was ${before.settings[name] ?? '(none)'}`,
    );
}
