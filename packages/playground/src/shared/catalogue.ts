/** What a control shows and what it takes. */
export type OptionKind = 'number' | 'choice' | 'boolean' | 'text' | 'plugin';

/** A value as a control has it; settings may also be a schedule, such as `cosine(0.01, 0, 500)`. */
export type OptionValue = number | string | boolean;

export interface OptionDescription {
  readonly name: string;
  readonly kind: OptionKind;
  /** May change while training; what is not live compiles the step anew. */
  readonly live: boolean;
  /** What values it takes, in words. */
  readonly takes: string;
  readonly choices: readonly string[];
  readonly fallback: OptionValue | undefined;
  readonly help: string;
}

export interface PartDescription {
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionDescription[];
}

export interface PluginDescription extends PartDescription {
  /** What kind of thing it does: clip, compress, ... */
  readonly role: string;
  /** Options that every plugin has: which parameters it works on, and when. */
  readonly common: readonly OptionDescription[];
}

export interface OptimizerDescription extends PartDescription {
  readonly learningRate: number;
}

/** Everything that can be chosen, as plain data. */
export interface Catalogue {
  readonly plugins: readonly PluginDescription[];
  readonly optimizers: readonly OptimizerDescription[];
}

/** An optimizer with what was set. */
export interface PartChoice {
  readonly name: string;
  readonly options: Readonly<Record<string, OptionValue>>;
}

/** A plugin at its place in the chain. */
export interface PluginChoice extends PartChoice {
  /** Stays the same while it is moved about. */
  readonly key: string;
  /** For a plugin that runs another one: which. */
  readonly inner?: PartChoice | undefined;
}
