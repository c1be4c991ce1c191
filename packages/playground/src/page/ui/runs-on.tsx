import type { Environment, OpenedRun, ProviderChoice } from '../../shared/protocol.js';
import { change, config, environment, opened } from '../store.js';

function threadsOf({ threads, isolated }: Environment): string {
  if (isolated) return `${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  return 'one thread, because the page is not cross-origin isolated';
}

function sentence(run: OpenedRun, around: Environment): string {
  const reason = run.why === 'as chosen' ? 'as chosen' : `because ${run.why}`;
  if (run.provider === 'webgpu') return `Steps run on webgpu (${run.why}).`;
  return `Steps run on wasm, ${reason}; with ${threadsOf(around)}.`;
}

export function RunsOn() {
  const [run, around] = [opened.value, environment.value];
  const gpu = around?.gpu;
  return (
    <section class="card" aria-labelledby="runs-title">
      <h2 id="runs-title">Runs on</h2>
      <label class="field wide">
        <span>Provider</span>
        <select
          value={config.value.provider}
          onChange={(event) => change({ provider: event.currentTarget.value as ProviderChoice })}
        >
          <option value="auto">auto: the fastest that works</option>
          <option value="wasm">wasm: the processor</option>
          <option value="webgpu" disabled={gpu?.usable === false}>
            {gpu?.usable === false ? `webgpu: ${gpu.reason}` : 'webgpu: the GPU'}
          </option>
        </select>
      </label>
      {run !== undefined && around !== undefined && (
        <p class="hint" id="runs-on">
          {sentence(run, around)}
        </p>
      )}
      {gpu?.usable === true && gpu.software && (
        <p class="hint">webgpu is emulated here ({gpu.name}): it works, slowly.</p>
      )}
    </section>
  );
}
