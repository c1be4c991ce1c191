import type { NamedFile } from '../shared/protocol.js';
import { say } from './notices.js';
import { apply, attempt, config, notApplied, ownData, ownModel, refused, worker } from './store.js';

/** Files beyond this are not even read. */
const mostBytes = 2 ** 30;

/** Takes files of one's own, and goes over to them. */
export async function takeFiles(given: Iterable<File>): Promise<void> {
  const files = [...given];
  if (files.length === 0) return;
  const large = files.find(({ size }) => size > mostBytes);
  if (large !== undefined) {
    say('error', `${large.name} is larger than 1 GiB: too large for a tab`);
    return;
  }
  await attempt(async () => {
    const read = await Promise.all(
      files.map(
        async (file): Promise<NamedFile> => ({
          name: file.name,
          bytes: new Uint8Array(await file.arrayBuffer()),
        }),
      ),
    );
    const { model, data } = await worker.take(read);
    if (model !== undefined) ownModel.value = model;
    if (data !== undefined) ownData.value = data;
    await apply(
      {
        ...config.value,
        ...(model !== undefined && { model: 'own' as const }),
        ...(data !== undefined && { data: 'own' as const }),
      },
      model !== undefined,
    );
    // What stands beside the chain is out of sight where files are chosen, on a phone above all.
    const problem = refused.value;
    if (problem !== undefined) say('error', `${notApplied} ${problem.message}`, problem.remedy);
  });
}

/** Hands a file to the browser's downloads. */
export function download({ name, bytes }: NamedFile): void {
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
