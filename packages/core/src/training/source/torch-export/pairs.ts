import type { Graph, Node, TensorData } from '../../../onnx/ir.js';
import { type Call, mangled, type Slot, type TorchNotes } from './notes.js';
import { type Original, originalOf } from './originals.js';

/** A parameter in a place that a call takes it. */
export interface Pair {
  readonly token: string;
  readonly slot: Slot;
  readonly original: Original;
}

export interface Pairs {
  readonly pairs: readonly Pair[];
  /** What the call takes beside them. */
  readonly left: readonly string[];
}

/** Which places hold no parameters: norms without any have a scale and a bias that the exporter made, and so has the
 *  InstanceNormalization that it makes of GroupNorm. */
export function ownSlots({ target, tokens, slots }: Call): readonly Slot[] {
  if (target === 'group_norm')
    return slots.filter(({ node }) => node.opType === 'InstanceNormalization');
  return target.includes('norm') ? slots.slice(0, Math.max(slots.length - tokens.length, 0)) : [];
}

/** What a call takes, in the order of its places: addmm takes the bias before the matrices. */
function tokensInOrder({ target, tokens }: Call): string[] {
  const [first, ...others] = tokens;
  return target === 'addmm' && first !== undefined ? [...others, first] : [...tokens];
}

/** Which parameter each place of a call takes, as far as that can be told. What notes prove comes first; the rest was
 *  made one with others, and stands in order, or is told by its name. */
export function pairsOf(call: Call, { initializers }: Graph, notes: TorchNotes): Pairs {
  const own = ownSlots(call);
  const left = tokensInOrder(call);
  const users = new Map<string, Node>();
  const proven: Pair[] = [];
  const strangers: Omit<Pair, 'token'>[] = [];
  for (const slot of call.slots.filter((each) => !own.includes(each))) {
    const tokens = notes.tokensOf(slot.name);
    const [token = ''] = tokens;
    const original = originalOf(call, slot, initializers.get(slot.name) as TensorData);
    // What was computed in another way may be anything.
    const isKnown = notes.tokenOf(slot.name) !== undefined || original.form !== undefined;
    const isSingle = isKnown && tokens.length === 1;
    if (isSingle && left.includes(token)) {
      users.set(token, slot.node);
      proven.push({ token, slot, original });
    } else if (isSingle && (users.get(token) ?? slot.node) === slot.node)
      strangers.push({ slot, original });
    for (const each of tokens) if (left.includes(each)) left.splice(left.indexOf(each), 1);
  }
  const isInOrder = strangers.length === left.length;
  const merged = strangers.flatMap(({ slot, original }, i): Pair[] => {
    const ending = `_${mangled(slot.name.slice(slot.name.lastIndexOf('.') + 1))}`;
    const alike = left.filter((token) => token.endsWith(ending));
    const token = isInOrder ? left[i] : alike.length === 1 ? alike[0] : undefined;
    return token === undefined ? [] : [{ token, slot, original }];
  });
  return {
    pairs: [...proven, ...merged],
    left: left.filter((each) => merged.every(({ token }) => token !== each)),
  };
}
