import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import type { PluginChoice } from '../../shared/catalogue.js';
import { changeChain, config, curves, drawn, notApplied, opened, refused } from '../store.js';
import { AddPlugin } from './add-plugin.js';
import { announce, announcement } from './announce.js';
import { short, whole } from './format.js';
import { OptimizerCard } from './optimizer-card.js';
import { PluginCard } from './plugin-card.js';
import { useReorder } from './reorder.js';

/** What stands at one end of the chain. */
function End({ title, note, value }: { title: string; note: string; value: ComponentChildren }) {
  return (
    <div class="end">
      <strong>{title}</strong>
      <span>{note}</span>
      <output>{value}</output>
    </div>
  );
}

function moved(chain: readonly PluginChoice[], from: number, to: number): readonly PluginChoice[] {
  const next = [...chain];
  next.splice(to, 0, ...next.splice(from, 1));
  return next;
}

function LastNorm({ side }: { side: 'before' | 'after' }) {
  void drawn.value;
  return <>{`‖g‖ ${short(curves[side].at(-1))}`}</>;
}

export function ChainEditor() {
  const { chain } = config.value;
  const list = useRef<HTMLOListElement>(null);
  const move = (from: number, to: number) => {
    if (to < 0 || to >= chain.length || to === from) return;
    announce(`${chain[from]?.name} is now ${to + 1} of ${chain.length}`);
    void changeChain(moved(chain, from, to));
  };
  const remove = (index: number) => {
    announce(`${chain[index]?.name} removed`);
    void changeChain(chain.filter((_, i) => i !== index));
    const grips = list.current?.querySelectorAll<HTMLElement>('.grip');
    const next = grips?.[index + 1] ?? grips?.[index - 1];
    (next ?? document.getElementById('add-plugin'))?.focus();
  };
  const drag = useReorder(list, move);
  const problem = refused.value;
  const weights = opened.value?.parameters.reduce((total, { size }) => total + size, 0) ?? 0;
  return (
    <section class="card chain" aria-labelledby="chain-title">
      <h2 id="chain-title">Gradient chain</h2>
      <div class="flow">
        <End
          title="Backward pass"
          note="gradients as they come"
          value={<LastNorm side="before" />}
        />
        <ol ref={list} aria-label="Plugins, in order">
          {chain.map((choice, index) => (
            <PluginCard
              key={choice.key}
              choice={choice}
              index={index}
              count={chain.length}
              drag={drag}
              onMove={(by) => move(index, index + by)}
              onRemove={() => remove(index)}
              onChange={(next) => changeChain(chain.map((one, i) => (i === index ? next : one)))}
            />
          ))}
        </ol>
        <AddPlugin onAdd={(choice) => changeChain([...chain, choice])} />
        <OptimizerCard norm={<LastNorm side="after" />} />
        <End title="Weights" note="one step further" value={whole(weights)} />
      </div>
      {problem !== undefined && (
        <p class="refused" role="alert">
          <strong>{notApplied}</strong> {problem.message}
          {problem.remedy !== undefined && <small>{problem.remedy}</small>}
        </p>
      )}
      <p class="unseen" aria-live="assertive">
        {announcement.value}
      </p>
    </section>
  );
}
