import { type Call, mangled, type TorchNotes } from './notes.js';

/** The name that a parameter has in PyTorch, of which only what a call names it is left. */
export type Naming = (token: string, call: Call) => string;

/** The endings of a name, from the whole to what stands behind the last dot. */
function endingsOf(name: string): readonly string[] {
  const parts = name.split('.');
  return parts.map((_, at) => parts.slice(at).join('.'));
}

/** Tokens tell no dots from underscores: those of modules are known from the scope of a call, those of parameters from
 *  what other initializers are called. */
export function createNaming(initializers: Iterable<string>, notes: TorchNotes): Naming {
  const endings = new Map<string, string>();
  // A bias that is left out has a weight that is not.
  for (const name of initializers)
    for (const known of [name, ...notes.originsOf(name)])
      for (const spelt of [known.replace(/weight$/, 'bias'), known])
        for (const ending of endingsOf(spelt)) endings.set(mangled(ending), ending);
  return (token, { scopes }) => {
    const rest = token.slice(2);
    const scope = scopes.find((each) => each !== '' && rest.startsWith(`${mangled(each)}_`)) ?? '';
    const ending = scope === '' ? rest : rest.slice(scope.length + 1);
    const whole = endings.get(rest);
    const part = endings.get(ending) ?? ending;
    return scope === '' || whole?.startsWith(`${scope}.`) ? (whole ?? part) : `${scope}.${part}`;
  };
}
