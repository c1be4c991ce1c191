import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { takeFiles } from '../files.js';

const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;

/** Files may be dropped anywhere on the page; this says so while they are over it. */
export function DropTarget() {
  const over = useSignal(false);
  useEffect(() => {
    const handlers = {
      dragover: (event: DragEvent) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        over.value = true;
      },
      dragleave: (event: DragEvent) => {
        if (event.relatedTarget === null) over.value = false;
      },
      drop: (event: DragEvent) => {
        over.value = false;
        if (!hasFiles(event)) return;
        event.preventDefault();
        void takeFiles(event.dataTransfer?.files ?? []);
      },
    };
    const stop = new AbortController();
    const { signal } = stop;
    document.addEventListener('dragover', handlers.dragover, { signal });
    document.addEventListener('dragleave', handlers.dragleave, { signal });
    document.addEventListener('drop', handlers.drop, { signal });
    return () => stop.abort();
  }, [over]);
  return over.value ? <p class="drop">Drop a model, training artifacts or data</p> : null;
}
