import type { Setting } from '../schedules/schedule.js';
import { isFiltering } from './match.js';
import type { GradientPlugin, PluginRole } from './plugin.js';

interface OrderRule {
  /** A plugin of this role... */
  readonly first: PluginRole;
  /** ... before one of this role is a mistake, because ... */
  readonly later: PluginRole;
  readonly because: string;
}

/** Orders that are known to be wrong. The usual one: unscale, guard, accumulate, reduce, compress, regularise, shape,
 *  clip, noise. */
const mistakes: readonly OrderRule[] = [
  {
    first: 'clip',
    later: 'accumulate',
    because:
      'micro-batches are clipped one by one, and their sum is not: clip what the optimizer sees',
  },
  {
    first: 'clip',
    later: 'reduce',
    because:
      'each worker clips its own gradient, and the average is not clipped: clip after the all-reduce',
  },
  {
    first: 'clip',
    later: 'unscale',
    because: 'the bound applies to scaled gradients: unscale before clipping',
  },
  {
    first: 'clip',
    later: 'guard',
    because:
      'an infinite gradient becomes NaN, or a number, before the guard sees it: guard before clipping',
  },
  {
    first: 'compress',
    later: 'guard',
    because:
      'a compressor drops NaN or keeps it in its residual before the guard sees it: guard before compressing',
  },
  {
    first: 'compress',
    later: 'accumulate',
    because:
      'every micro-batch is compressed, and its error with it: accumulate before compressing',
  },
  {
    first: 'regularise',
    later: 'accumulate',
    because: 'the penalty is added once for each micro-batch: regularise after accumulating',
  },
  {
    first: 'regularise',
    later: 'unscale',
    because: 'the penalty is divided by the loss scale: unscale before regularising',
  },
  {
    first: 'accumulate',
    later: 'unscale',
    because:
      'the loss scale may change between the micro-batches of one sum: unscale before accumulating',
  },
  {
    first: 'accumulate',
    later: 'guard',
    because:
      'one gradient that is not finite spoils the sum of all micro-batches: guard before accumulating',
  },
  {
    first: 'shape',
    later: 'accumulate',
    because: 'micro-batches are reshaped one by one, and their sum is not: accumulate before it',
  },
  {
    first: 'shape',
    later: 'unscale',
    because: 'it sees scaled gradients: unscale first',
  },
  {
    first: 'shape',
    later: 'guard',
    because: 'a gradient that is not finite spreads before the guard sees it: guard first',
  },
  {
    first: 'compress',
    later: 'unscale',
    because: 'its residual is kept under a loss scale that changes: unscale before compressing',
  },
  {
    first: 'shape',
    later: 'reduce',
    because:
      'each worker reshapes its own gradient, and the average is not: do it after the all-reduce',
  },
  {
    first: 'reduce',
    later: 'accumulate',
    because: 'every micro-batch is sent: accumulate before the all-reduce',
  },
  {
    first: 'noise',
    later: 'accumulate',
    because: 'noise is added once for each micro-batch: add it after accumulating',
  },
  {
    first: 'noise',
    later: 'unscale',
    because: 'the noise is divided by the loss scale: unscale before adding it',
  },
  {
    first: 'noise',
    later: 'clip',
    because:
      'the noise is clipped with the gradient, and no longer as large as asked for: clip before adding it',
  },
];

/** Warnings for plugins that do what the optimizer does already. */
export function optimizerWarnings(
  plugins: readonly GradientPlugin[],
  ids: readonly string[],
  optimizer: { readonly name: string; readonly settings: Readonly<Record<string, Setting>> },
): readonly string[] {
  if ((optimizer.settings.weightDecay ?? 0) === 0) return [];
  return plugins.flatMap(({ role }, i) =>
    role === 'decay'
      ? [
          `${ids[i]} decays the weights, and so does ${optimizer.name}: set the weightDecay of one of them to 0.`,
        ]
      : [],
  );
}

/** Warnings for orders known to be wrong, with the reason. The order stays what the user made it. */
export function orderWarnings(
  plugins: readonly GradientPlugin[],
  ids: readonly string[],
): readonly string[] {
  return plugins.flatMap((later, j) =>
    plugins.slice(0, j).flatMap((earlier, i) => {
      const mistake = mistakes.find(
        ({ first, later: after }) => earlier.role === first && later.role === after,
      );
      return mistake === undefined
        ? []
        : [`${ids[i]} stands before ${ids[j]}: ${mistake.because}.`];
    }),
  );
}

/** Warnings for plugins that hold everything still at every step. */
export function holdWarnings(
  plugins: readonly GradientPlugin[],
  ids: readonly string[],
): readonly string[] {
  return plugins.flatMap((plugin, i) => {
    const { role, from, until, every } = plugin;
    const always = (from ?? until ?? every) === undefined;
    return role === 'hold' && always && !isFiltering(plugin)
      ? [
          `${ids[i]} holds all parameters at every step, so that nothing trains: say which, or until when.`,
        ]
      : [];
  });
}

/** What does more than lose something, by role: error feedback gives it back. */
const undoneByFeedback: Partial<Record<PluginRole, string>> = {
  clip: 'what it cuts off is added to the next gradient, so that in the end nothing is limited: clip before',
  shape:
    'what it takes out of a gradient is added to the next one, so that in the end nothing is taken out: do it before',
};

const grows =
  'what it loses may be more than what it is given, and what is remembered then grows from step to step: leave out the error feedback, or what makes it unbiased';

/** Warnings for plugins inside error feedback that only delay there what they are for, or never catch up. */
export function feedbackWarnings(
  plugins: readonly GradientPlugin[],
  ids: readonly string[],
): readonly string[] {
  return plugins.flatMap((plugin, i) =>
    plugin.hasFeedback === true
      ? withinAll(plugin).flatMap(({ id, name, role, expands }) => {
          const because = expands === true ? grows : role && undoneByFeedback[role];
          return because === undefined
            ? []
            : [`${id ?? name} stands inside ${ids[i]}: ${because}.`];
        })
      : [],
  );
}

/** The plugins inside a plugin, and those inside them. */
function withinAll({ inside = [] }: GradientPlugin): readonly GradientPlugin[] {
  return inside.flatMap((inner) => [inner, ...withinAll(inner)]);
}
