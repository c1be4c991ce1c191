import { GradwareError, type Position } from '@gradware/core';
import type { History, NamedFile, OpenedRun, RunConfig } from '../shared/protocol.js';
import { fromJson, toJson } from './json.js';
import type { Stored } from './storage.js';

/** Everything that a run is gone on with. */
export interface Save {
  readonly config: RunConfig;
  readonly opened: OpenedRun;
  readonly history: History;
  readonly position: Position;
  readonly savedAt: number;
  readonly checkpoint: Uint8Array<ArrayBuffer>;
  readonly modelFiles: readonly NamedFile[];
  readonly dataFiles: readonly NamedFile[];
}

type Header = Omit<Save, 'checkpoint' | 'modelFiles' | 'dataFiles'> & {
  readonly modelNames: readonly string[];
  readonly dataNames: readonly string[];
};

export function toStored({ checkpoint, modelFiles, dataFiles, ...rest }: Save): Stored {
  const header: Header = {
    ...rest,
    modelNames: modelFiles.map(({ name }) => name),
    dataNames: dataFiles.map(({ name }) => name),
  };
  return {
    header: toJson(header),
    blobs: [checkpoint, ...[...modelFiles, ...dataFiles].map(({ bytes }) => bytes)],
  };
}

/** @throws GradwareError FILE for what another version of this page has written */
export function fromStored({ header, blobs }: Stored): Save {
  const { modelNames, dataNames, ...rest } = fromJson(header) as Header;
  const [checkpoint, ...files] = blobs;
  if (checkpoint === undefined || rest.config?.chain === undefined || !Array.isArray(modelNames))
    throw new GradwareError(
      'FILE',
      'The run that was kept here is of another version of this page',
      { remedy: 'Start it anew.' },
    );
  const named = (names: readonly string[], from: number) =>
    names.map((name, i) => ({ name, bytes: files[from + i] ?? new Uint8Array() }));
  return {
    ...rest,
    checkpoint,
    modelFiles: named(modelNames, 0),
    dataFiles: named(dataNames, modelNames.length),
  };
}
