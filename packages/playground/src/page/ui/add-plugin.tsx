import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { PluginChoice, PluginDescription } from '../../shared/catalogue.js';
import { catalogue } from '../store.js';
import { announce } from './announce.js';
import { Icon } from './icon.js';
import { insiders, runsAnother } from './inner-plugin.js';

const roles: Readonly<Record<string, string>> = {
  guard: 'Guards',
  unscale: 'Loss scaling',
  accumulate: 'Accumulation',
  regularise: 'Regularisers',
  decay: 'Decay',
  clip: 'Clipping',
  shape: 'Shaping',
  noise: 'Noise',
  compress: 'Compression',
  other: 'Others',
};

/** By what they do, in the order in which they usually stand in a chain. */
function groups(found: readonly PluginDescription[]) {
  return Object.entries(roles)
    .map(([role, title]) => ({
      title,
      members: found.filter((one) => (one.role in roles ? one.role : 'other') === role),
    }))
    .filter(({ members }) => members.length > 0);
}

let made = 0;
/** Other than any in a run of an earlier visit. */
const freshKey = () => `${Date.now().toString(36)}-${made++}`;

function choiceOf(description: PluginDescription): PluginChoice {
  const choice = {
    key: freshKey(),
    name: description.name,
    options: startOf(description),
  };
  const [first] = insiders()
    .filter(({ name }) => name === 'top-k')
    .concat(insiders());
  return runsAnother(description) && first !== undefined
    ? { ...choice, inner: { name: first.name, options: {} } }
    : choice;
}

/** Some do nothing, or refuse, until they are told how much. */
const starts: Readonly<Record<string, PluginChoice['options']>> = {
  'value-clip': { max: 0.1 },
  normalize: { norm: 1 },
  freeze: { until: 50 },
};
const startOf = ({ name }: PluginDescription) => starts[name] ?? {};

export function AddPlugin({ onAdd }: { readonly onAdd: (choice: PluginChoice) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const search = useSignal('');
  const wanted = search.value.trim().toLowerCase();
  const found = catalogue.value.plugins.filter(({ name, description, role }) =>
    `${name} ${description} ${role}`.toLowerCase().includes(wanted),
  );
  // What Enter takes.
  const [best = found[0]] = found.filter(({ name }) => name.includes(wanted));
  const add = (description: PluginDescription) => {
    dialog.current?.close();
    announce(`${description.name} added at the end of the chain`);
    onAdd(choiceOf(description));
  };
  return (
    <>
      <button
        type="button"
        class="add"
        id="add-plugin"
        onClick={() => {
          search.value = '';
          dialog.current?.showModal();
        }}
      >
        <Icon name="plus" /> Add a plugin
      </button>
      <dialog ref={dialog} class="picker" aria-label="Add a plugin" closedby="any">
        <form
          class="search"
          onSubmit={(event) => {
            event.preventDefault();
            if (best !== undefined) add(best);
          }}
        >
          <input
            type="search"
            placeholder={`Search ${catalogue.value.plugins.length} plugins`}
            aria-label="Search plugins"
            value={search.value}
            onInput={(event) => {
              search.value = event.currentTarget.value;
            }}
          />
          <button
            type="button"
            class="plain"
            aria-label="Close"
            onClick={() => dialog.current?.close()}
          >
            <Icon name="close" />
          </button>
        </form>
        <div class="results">
          {groups(found).map(({ title, members }) => (
            <section key={title}>
              <h3>{title}</h3>
              <ul>
                {members.map((one) => (
                  <li key={one.name} data-best={wanted !== '' && one === best}>
                    <button type="button" onClick={() => add(one)}>
                      <strong>{one.name}</strong>
                      <span>{one.description}</span>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          ))}
          {found.length === 0 && <p class="hint">Nothing is called that.</p>}
        </div>
      </dialog>
    </>
  );
}
