import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of artifact sets that ORT's own tools made. They are not ours to ship, so it may be absent:
 *  set GRADWARE_ARTIFACTS, or put them at ../shared/artifacts beside the repository. */
const folder =
  process.env.GRADWARE_ARTIFACTS ??
  fileURLToPath(new URL('../../../shared/artifacts', import.meta.url));

let warned = false;

/** Whether all of these files of the folder are there; says once that tests are skipped if not. */
export function haveArtifacts(...names: readonly string[]): boolean {
  const missing = names.find((name) => !existsSync(join(folder, name)));
  if (missing === undefined && existsSync(folder)) return true;
  if (!warned) {
    warned = true;
    console.warn(`Skipped: no ${missing ?? 'artifacts'} in ${folder} (set GRADWARE_ARTIFACTS).`);
  }
  return false;
}

/** The path of a file or set in the folder. */
export function artifactPath(name: string): string {
  return join(folder, name);
}

/** The content of a file in the folder. */
export function readArtifact(name: string): Uint8Array {
  return new Uint8Array(readFileSync(artifactPath(name)));
}
