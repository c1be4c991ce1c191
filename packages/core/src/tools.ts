import type { Runtime } from './runtime/runtime.js';
import type { ArtifactFiles, Source } from './training/api.js';
import type { ConvertedArtifacts, ConvertOptions } from './training/convert-artifacts.js';
import type { GeneratedArtifacts, GenerateOptions } from './training/generate/generate.js';
import type { Fallback, FallbackOptions } from './training/inspect/inspect-fallbacks.js';
import type { Trainable } from './training/source/load.js';

/* What front doors offer beside sessions, on the runtime that each binds. It is loaded when it is called: who only trains
 * does without. Doors for pages mark these calls as pure: a bundler then leaves out what a page does not use. */

export function artifactGenerator(runtime: Runtime) {
  return async (model: Source, options: GenerateOptions = {}): Promise<GeneratedArtifacts> => {
    const { generateArtifacts } = await import('./training/generate/generate.js');
    return generateArtifacts(runtime, model, options);
  };
}

export function artifactConverter(runtime: Runtime) {
  return async (
    given: string | URL | ArtifactFiles,
    options: ConvertOptions = {},
  ): Promise<ConvertedArtifacts> => {
    const { convertArtifacts } = await import('./training/convert-artifacts.js');
    return convertArtifacts(runtime, given, options);
  };
}

export function fallbackInspector(runtime: Runtime) {
  return async (model: Trainable, options: FallbackOptions = {}): Promise<readonly Fallback[]> => {
    const { inspectFallbacks } = await import('./training/inspect/inspect-fallbacks.js');
    return inspectFallbacks(runtime, model, options);
  };
}
