import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folders from which plugins are looked for, in order: the user's own, then that of the command line itself. */
export function searchRoots(cwd: string): readonly string[] {
  return [cwd, dirname(fileURLToPath(import.meta.url))];
}

export interface InstalledPackage {
  /** What `--plugin` calls it. */
  readonly name: string;
  readonly packageName: string;
  readonly version: string;
  readonly folder: string;
}

/** The folder and its parents, up to the root. */
function parents(folder: string): readonly string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...parents(above)];
}

function list(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** The plugin packages that can be found from these folders, nearest first, each name once.
 *  `@gradware/plugin-x` hides `gradware-plugin-x`. */
export function findInstalled(roots: readonly string[]): readonly InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  for (const packageName of candidates(roots)) {
    const name = shortName(packageName.name);
    if (!found.has(name)) found.set(name, { name, ...describe(packageName) });
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Candidate {
  readonly name: string;
  readonly folder: string;
}

function candidates(roots: readonly string[]): readonly Candidate[] {
  const places = roots.flatMap((root) =>
    parents(root).map((folder) => join(folder, 'node_modules')),
  );
  const own = places.flatMap((place) =>
    list(join(place, '@gradware'))
      .filter((entry) => entry.startsWith('plugin-'))
      .map((entry) => ({ name: `@gradware/${entry}`, folder: join(place, '@gradware', entry) })),
  );
  const others = places.flatMap((place) =>
    list(place)
      .filter((entry) => entry.startsWith('gradware-plugin-'))
      .map((entry) => ({ name: entry, folder: join(place, entry) })),
  );
  return [...own, ...others].filter(({ folder }) => existsSync(join(folder, 'package.json')));
}

function shortName(packageName: string): string {
  return packageName.replace(/^(@gradware\/|gradware-)plugin-/, '');
}

function describe({ name, folder }: Candidate): Omit<InstalledPackage, 'name'> {
  const { version } = readManifest(folder);
  return { packageName: name, version: version ?? 'unknown', folder: realpathSync(folder) };
}

/** What a package.json says of itself; nothing where it cannot be read. */
export function readManifest(folder: string): {
  readonly name?: string;
  readonly version?: string;
} {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (typeof manifest !== 'object' || manifest === null) return {};
    const text = (key: string) => {
      const value: unknown = Reflect.get(manifest, key);
      return typeof value === 'string' ? { [key]: value } : {};
    };
    return { ...text('name'), ...text('version') };
  } catch {
    return {};
  }
}
