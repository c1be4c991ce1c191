import { signal } from '@preact/signals';
import { canTrain } from '../store.js';
import { ChainEditor } from './chain-editor.js';
import { Charts } from './charts.js';
import { DrawPanel } from './draw-panel.js';
import { DropTarget } from './drop-target.js';
import { Files } from './files.js';
import { Header } from './header.js';
import { Notices } from './notices.js';
import { RunBar } from './run-bar.js';
import { RunsOn } from './runs-on.js';
import { Setup } from './setup.js';

const views = ['Setup', 'Train', 'Draw'] as const;
type View = (typeof views)[number];

/** On a phone one of three views is shown at a time. */
const view = signal<View>('Train');

export function App() {
  return (
    <div class="page">
      <a class="skip" href="#run">
        Skip to training
      </a>
      <Header />
      <main class="layout" data-view={view.value} aria-busy={!canTrain.value}>
        <div class="column setup">
          <Setup />
          <ChainEditor />
          <RunsOn />
        </div>
        <div class="column train" id="run">
          <RunBar />
          <Charts />
        </div>
        <div class="column draw">
          <DrawPanel />
          <Files />
        </div>
      </main>
      <nav class="tabs" aria-label="Views">
        {views.map((name) => (
          <button
            key={name}
            type="button"
            aria-current={view.value === name ? 'page' : undefined}
            onClick={() => {
              view.value = name;
            }}
          >
            {name}
          </button>
        ))}
      </nav>
      <Notices />
      <DropTarget />
    </div>
  );
}
