import type { GraphBuilder } from '../graph/builder.js';
import type { Value } from '../graph/value.js';
import type { Hold, Registry, StateRecord, StopRequest } from '../plugins/registry.js';

/** What becomes of the state at the end of a step, and whether the session has to stop there. */
export interface Commit {
  /** The value of every state after the step, by key. */
  readonly next: ReadonlyMap<string, Value>;
  /** True where a plugin undid the step (a bool scalar); undefined where none ever does. */
  readonly dropped: Value | undefined;
  /** True where the loss is not finite and no plugin dealt with it. */
  readonly diverged: Value | undefined;
  /** What plugins asked to end training for, and where that is so. */
  readonly stops: readonly StopRequest[];
}

/** Applies the commit rule: state is kept unless an earlier plugin waits, or a plugin that is not itself held
 *  drops; `survives` ignores drops, not waits. A loss that is not finite undoes the step like a drop before the first
 *  plugin. */
export function commitStates(
  builder: GraphBuilder,
  registry: Registry,
  records: readonly StateRecord[],
  loss: Value | undefined,
): Commit {
  const { op } = builder;
  const combined = new Map<string, Value>();

  /** One node for each set of conditions, however many states share it. */
  function any(conditions: readonly Value[]): Value | undefined {
    const unique = [...new Map(conditions.map((value) => [value.name, value])).values()];
    const [first, ...rest] = unique;
    if (first === undefined) return undefined;
    const key = unique.map((value) => value.name).join('|');
    const known = combined.get(key) ?? rest.reduce((total, value) => op.Or(total, value), first);
    combined.set(key, known);
    return known;
  }

  function waitsOn(place: number, held: Held): readonly Value[] {
    return registry.waits
      .filter((hold) => hold.place < place && concerns(hold, held))
      .map((hold) => hold.when);
  }

  /** What a plugin asks for while it is not itself held. */
  function unheld<Request extends Hold>(request: Request): Request {
    const held = any(waitsOn(request.place, { parameter: undefined, scope: request.parameters }));
    return held === undefined ? request : { ...request, when: op.And(request.when, op.Not(held)) };
  }

  const drops = registry.drops.map(unheld);
  const dropped = any(drops.map((drop) => drop.when));
  const bad = loss === undefined ? undefined : op.Not(op.isFinite(loss));

  const groups = new Map<string, { hold: Value; records: StateRecord[] }>();
  const next = new Map<string, Value>();
  for (const record of records) {
    if (record.next === undefined) {
      next.set(record.key, record.value);
      continue;
    }
    const conditions = [
      ...waitsOn(record.place, record),
      ...drops
        .filter((drop) => undoes(drop, record) && concerns(drop, record))
        .map((drop) => drop.when),
      ...(record.survives === true || bad === undefined ? [] : [bad]),
      ...(record.active === undefined ? [] : [op.Not(record.active)]),
    ];
    const hold = any(conditions);
    if (hold === undefined) next.set(record.key, record.next);
    else {
      const group = groups.get(hold.name) ?? { hold, records: [] };
      group.records.push(record);
      groups.set(hold.name, group);
    }
  }
  for (const { hold, records: held } of groups.values()) {
    const chosen = op.select(
      hold,
      held.map((record) => record.value),
      held.map((record) => record.next as Value),
    );
    held.forEach((record, i) => {
      next.set(record.key, chosen[i] as Value);
    });
  }
  const diverged = bad && dropped ? op.And(bad, op.Not(dropped)) : bad;
  return { next, dropped, diverged, stops: registry.stops.map(unheld) };
}

function undoes(drop: Hold, { survives, place }: StateRecord): boolean {
  return survives === 'later' ? drop.place < place : !survives;
}

type Held = Pick<StateRecord, 'parameter' | 'scope'>;

/** State of no particular parameter is touched only by holds that concern all of them, or all of its group. */
function concerns({ parameters }: Hold, { parameter, scope }: Held): boolean {
  if (parameters === undefined) return true;
  if (parameter !== undefined) return parameters.has(parameter);
  return scope !== undefined && [...scope].every((name) => parameters.has(name));
}
