import {
  didYouMean,
  type GradientPlugin,
  GradwareError,
  type GroupOptions,
  type Optimizer,
  type Provider,
  type Setting,
} from '@gradware/core';
import { TrainingSession } from '@gradware/core/node';
import { parseLoss } from '../options/loss.js';
import type { SessionFlags } from '../options/shared.js';
import { findWeights, isFolder } from './output-folder.js';

export interface SessionRequest {
  readonly model: string;
  readonly flags: Pick<
    SessionFlags,
    'loss' | 'lossInput' | 'weights' | 'provider' | 'threads' | 'seed'
  >;
  readonly train?: readonly string[] | undefined;
  readonly freeze?: readonly string[] | undefined;
  readonly batchNorm?: 'train' | 'frozen' | undefined;
  readonly mixedPrecision?: GradientPlugin | undefined;
  readonly plugins?: readonly GradientPlugin[] | undefined;
  readonly groups?: readonly GroupOptions[] | undefined;
  readonly optimizer?: Optimizer | undefined;
  readonly learningRate?: Setting | undefined;
  readonly signal: AbortSignal;
}

/** Opens a session on a folder of artifacts or a forward model, as the flags say.
 *  @throws GradwareError whatever is wrong with model, flags or provider */
export async function openSession(request: SessionRequest): Promise<TrainingSession> {
  const { model, flags, train, freeze, batchNorm, mixedPrecision, plugins, groups } = request;
  const { optimizer, learningRate, signal } = request;
  const executionProviders = parseProviders(flags.provider);
  const loss = flags.loss === undefined ? undefined : parseLoss(flags.loss);
  if (await isFolder(model)) refuseForwardOnly(request);
  const session = await TrainingSession.create(model, {
    mixedPrecision,
    plugins,
    groups,
    optimizer,
    learningRate,
    loss,
    lossInputNames: flags.lossInput,
    requiresGrad: train,
    frozenParams: freeze,
    batchNorm,
    seed: flags.seed,
    signal,
    executionProviders,
    ...(flags.threads !== undefined && { session: { intraOpNumThreads: flags.threads } }),
  });
  if (flags.weights === undefined) return session;
  try {
    await session.importWeights(await findWeights(flags.weights));
    return session;
  } catch (error) {
    await session.release();
    throw error;
  }
}

/** Artifacts hold their loss and their choice of parameters: what the flags ask for would be passed over in silence. */
function refuseForwardOnly({ model, flags, train, freeze, batchNorm }: SessionRequest): void {
  const given = [
    ['--loss', flags.loss],
    ['--loss-input', flags.lossInput],
    ['--train', train],
    ['--freeze', freeze],
    ['--batch-norm', batchNorm],
  ] as const;
  const [first] = given.find(([, value]) => value !== undefined) ?? [];
  if (first === undefined) return;
  throw new GradwareError('INVALID_OPTION', `${first} is for forward models`, {
    where: model,
    remedy: `Training artifacts say themselves what is minimised and what trains: leave ${first} out, or give the forward model.`,
  });
}

const providers: readonly (Provider | 'auto')[] = ['cpu', 'cuda', 'webgpu', 'auto'];

/** @throws GradwareError INVALID_OPTION */
function parseProviders(text: string | undefined): readonly (Provider | 'auto')[] | undefined {
  return text?.split(',').map((part) => {
    const name = part.trim();
    const known = providers.find((provider) => provider === name);
    if (known !== undefined) return known;
    throw new GradwareError('INVALID_OPTION', `No execution provider is named "${name}"`, {
      where: `--provider ${text}`,
      remedy: didYouMean(name, providers),
    });
  });
}
