import 'reflect-metadata/lite';
import { type DependencyContainer, container as shared } from 'tsyringe';
import { GradwareError, messageOf } from './errors.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { GradientPlugin } from './plugins/plugin.js';
import type { Runtime } from './runtime/runtime.js';
import type { Setting } from './schedules/schedule.js';
import type {
  ArtifactFiles,
  TrainingSession as Session,
  Source,
  TrainingOptions,
} from './training/api.js';
import { createTrainingSession } from './training/create.js';
import {
  GRADIENT_PLUGIN,
  LOGGER,
  type Logger,
  OPTIMIZER,
  RUNTIME,
  SCHEDULE,
} from './training/tokens.js';

/** tsyringe's global one. Not passed on as it is: esbuild, and with it the dev server of Vite up to 7, would then run tsyringe
 *  before its polyfill where two doors share it. */
export const container: DependencyContainer = shared;

export interface CreateOptions extends TrainingOptions {
  /** Where plugins, optimizer, schedule, runtime and logger are looked up. Default: tsyringe's global container. */
  readonly container?: DependencyContainer | undefined;
}

/** `resolveAll` throws where nothing is registered: here that is an empty chain. */
function registeredAll<T>(from: DependencyContainer, token: symbol): readonly T[] {
  return from.isRegistered(token, true) ? made(token, () => from.resolveAll<T>(token)) : [];
}

function registeredOne<T>(from: DependencyContainer, token: symbol): T | undefined {
  return from.isRegistered(token, true) ? made(token, () => from.resolve<T>(token)) : undefined;
}

/** @throws GradwareError INVALID_OPTION for what the container cannot make: tsyringe names the class, not its place */
function made<T>(token: symbol, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (cause instanceof GradwareError) throw cause;
    throw new GradwareError(
      'INVALID_OPTION',
      `What is registered cannot be made: ${messageOf(cause)}`,
      {
        where: `container, ${token.description}`,
        remedy:
          'Register all that its constructor or factory asks for; a class with arguments needs @injectable(), and @inject(token) for each.',
        cause,
      },
    );
  }
}

/** Opens sessions on the runtime that a front door binds. Each session resolves what it needs in a child container of
 *  its own: services that are scoped to the container live as long as the session.
 *
 *  The chain is what is registered under GRADIENT_PLUGIN, in order, then `options.plugins`. */
export function trainingSessions(bound: Runtime) {
  return {
    /** @throws GradwareError for anything that cannot work, before anything is trained */
    async create(model: Source | ArtifactFiles, given?: CreateOptions | null): Promise<Session> {
      // JavaScript also says null, which onnxruntime-web/training took.
      const { container: parent = container, ...options } = given ?? {};
      const own = parent.createChildContainer();
      try {
        const logger = registeredOne<Logger>(own, LOGGER);
        const session = await createTrainingSession(model, options, {
          runtime: registeredOne<Runtime>(own, RUNTIME) ?? bound,
          plugins: registeredAll<GradientPlugin>(own, GRADIENT_PLUGIN),
          optimizer: registeredOne<Optimizer>(own, OPTIMIZER),
          schedule: registeredOne<Setting>(own, SCHEDULE),
          warn: (message) => logger?.warn(message),
        });
        const release = session.release;
        let released: Promise<void> | undefined;
        session.release = () => {
          released ??= release().finally(() => own.dispose());
          return released;
        };
        return session;
      } catch (error) {
        await own.dispose();
        throw error;
      }
    },
  };
}
