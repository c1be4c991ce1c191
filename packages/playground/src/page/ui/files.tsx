import { useRef } from 'preact/hooks';
import { download, takeFiles } from '../files.js';
import { say } from '../notices.js';
import { attempt, canTrain, savedAt, storage, worker } from '../store.js';
import { Icon } from './icon.js';

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

function kept(): string {
  if (storage.value.refused !== undefined) return storage.value.refused;
  if (savedAt.value === undefined)
    return 'Kept in this browser after every epoch: a reload goes on.';
  return `Kept in this browser at ${time.format(savedAt.value)}: a reload goes on from there.`;
}

export function Files() {
  const input = useRef<HTMLInputElement>(null);
  const ready = canTrain.value;
  const keeps = storage.value.refused === undefined;
  return (
    <section class="card" aria-labelledby="files-title">
      <h2 id="files-title">Your files</h2>
      <button type="button" class="dropzone" onClick={() => input.current?.click()}>
        <Icon name="file" />
        <span>
          <strong>Bring your own model or data</strong>
          <small>.onnx or training artifacts; .npz, .npy, .csv. They stay on this machine.</small>
        </span>
      </button>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label="Model and data files"
        onChange={(event) => {
          const { files } = event.currentTarget;
          void takeFiles(files ?? []).then(() => {
            if (input.current !== null) input.current.value = '';
          });
        }}
      />
      <div class="actions">
        <button
          type="button"
          disabled={!ready}
          title="The trained model as .onnx"
          onClick={() =>
            attempt(async () => {
              download(await worker.exportModel());
            })
          }
        >
          <Icon name="download" /> Model
        </button>
        <button
          type="button"
          disabled={!ready}
          title="Weights and all other state, to go on from in Node or here"
          onClick={() =>
            attempt(async () => {
              download(await worker.exportCheckpoint());
            })
          }
        >
          <Icon name="download" /> Checkpoint
        </button>
      </div>
      <div class="actions">
        <button
          type="button"
          disabled={!ready || !keeps}
          onClick={() =>
            attempt(async () => {
              await worker.save();
              say('info', 'Saved in this browser.');
            })
          }
        >
          <Icon name="save" /> Save now
        </button>
        <button
          type="button"
          disabled={savedAt.value === undefined || !keeps}
          onClick={() =>
            attempt(async () => {
              await worker.forget();
              savedAt.value = undefined;
              say('info', 'The saved run was removed.');
            })
          }
        >
          <Icon name="trash" /> Forget
        </button>
      </div>
      <p class="hint" id="kept">
        {kept()}
      </p>
    </section>
  );
}
