import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, platform, release } from 'node:os';
import { env } from '@gradware/core/node';

/** What the figures depend on. */
export interface Environment {
  readonly gradware: string;
  readonly onnxruntime: string;
  readonly node: string;
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  readonly threads: number;
  readonly pytorch: string | undefined;
  readonly blas: string | undefined;
}

function versionOf(packageFile: string): string {
  const path = createRequire(import.meta.url).resolve(packageFile);
  return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
}

export function environmentOf(
  threads: number,
  pytorch: { readonly version: string; readonly blas: string } | undefined,
): Environment {
  return {
    gradware: versionOf('@gradware/core/package.json'),
    onnxruntime: env.versions.node ?? env.versions.common,
    node: process.version,
    system: `${platform()} ${release()}`,
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    threads,
    pytorch: pytorch?.version,
    blas: pytorch?.blas,
  };
}
