import {
  type Fallback,
  type FallbackOptions,
  GradwareError,
  type Inspection,
  inspectModel,
  type OpUse,
} from '@gradware/core';
import { inspectFallbacks, nodeRuntime } from '@gradware/core/node';
import { Command, Option } from 'commander';
import { lossNames, parseLoss } from '../options/loss.js';
import { collect, collectFactors } from '../options/parse.js';
import { inFlags } from '../output/flags.js';
import { renderTable } from '../output/table.js';
import { style, type Terminal } from '../output/terminal.js';
import { searchRoots } from '../plugins/find.js';
import { formatCount } from '../progress/format.js';
import { jsonLine } from '../progress/json.js';
import { findModel } from '../training/output-folder.js';
import { type Precision, precisions, readPlan } from '../training/plan.js';
import { type Context, type ExitCode, exitCodes } from './context.js';

interface InspectFlags {
  readonly lossInput?: readonly string[];
  readonly train?: readonly string[];
  readonly freeze?: readonly string[];
  readonly provider?: 'webgpu';
  readonly loss?: string;
  readonly dim: Readonly<Record<string, number>>;
  readonly plugin: readonly string[];
  readonly precision: Precision;
  readonly json: boolean;
}

export function inspectCommand(context: Context, done: (code: ExitCode) => void): Command {
  return new Command('inspect')
    .description('what a model has, what of it trains and why, and what stands in the way')
    .argument('<model>', 'a folder of training artifacts, or a forward model (.onnx)')
    .option(
      '--loss-input <output>',
      'an output that goes to the loss (repeatable; default: the first)',
      collect,
    )
    .option('--train <glob>', 'as for train', collect)
    .option('--freeze <glob>', 'as for train', collect)
    .addOption(
      new Option(
        '--provider <name>',
        'also the nodes of steps and evaluations that would fall back to the CPU there',
      ).choices(['webgpu']),
    )
    .option(
      '--loss <loss>',
      `with --provider, for a forward model: ${lossNames.join(', ')}, or an .onnx file`,
    )
    .option(
      '--dim <name=size>',
      'with --provider: an open dimension of the inputs (repeatable)',
      collectFactors,
      {},
    )
    .option('--plugin <spec>', 'with --provider: as for train (repeatable)', collect, [])
    .addOption(
      new Option('--precision <type>', 'with --provider: as for train')
        .choices(precisions)
        .default('float32'),
    )
    .option('--json', 'one JSON object, and nothing else', false)
    .action(async (model: string, flags: InspectFlags) =>
      done(await inspect(model, flags, context)),
    );
}

async function inspect(
  path: string,
  flags: InspectFlags,
  { out, err, cwd }: Context,
): Promise<ExitCode> {
  requireProvider(flags);
  const { model } = await findModel(path);
  const chosen = {
    lossInputNames: flags.lossInput,
    requiresGrad: flags.train,
    frozenParams: flags.freeze,
  };
  const found = await inspectModel(nodeRuntime.files, model, chosen);
  const { fallbacks, warnings: unknown } =
    flags.provider === undefined
      ? nothing
      : await findFallbacks(model, {
          ...chosen,
          loss: flags.loss === undefined ? undefined : parseLoss(flags.loss),
          dimensions: flags.dim,
          ...(await readPlan({ ...flags, group: [], optimizer: [] }, searchRoots(cwd))),
        });
  const warnings = [...found.warnings, ...unknown];
  if (flags.json) {
    out.write(jsonLine({ event: 'inspection', ...found, fallbacks, warnings }));
    return exitCodes.success;
  }
  out.write(renderInspection(found, out));
  if (fallbacks !== undefined) out.write(renderFallbacks(fallbacks, out));
  for (const warning of warnings)
    err.write(`${style(err, 'yellow', 'warning:')} ${inFlags(warning)}\n`);
  return exitCodes.success;
}

/** @throws GradwareError INVALID_OPTION for what would have no effect */
function requireProvider({ provider, loss, dim, plugin, precision }: InspectFlags): void {
  const [idle] = Object.entries({
    '--loss': loss !== undefined,
    '--dim': Object.keys(dim).length > 0,
    '--plugin': plugin.length > 0,
    '--precision': precision !== 'float32',
  }).flatMap(([name, given]) => (given ? [name] : []));
  if (provider !== undefined || idle === undefined) return;
  throw new GradwareError('INVALID_OPTION', `${idle} says nothing without --provider`, {
    remedy: 'Add --provider webgpu, or leave it out.',
  });
}

interface FoundFallbacks {
  /** undefined where they are not asked for, or cannot be known. */
  readonly fallbacks?: readonly Fallback[];
  readonly warnings: readonly string[];
}

const nothing: FoundFallbacks = { warnings: [] };

/** What cannot be trained as it is can be inspected all the same.
 *  @throws GradwareError INVALID_OPTION */
async function findFallbacks(model: string, options: FallbackOptions): Promise<FoundFallbacks> {
  try {
    return { fallbacks: await inspectFallbacks(model, options), warnings: [] };
  } catch (error) {
    if (!(error instanceof GradwareError) || error.code === 'INVALID_OPTION') throw error;
    return {
      warnings: [`What would fall back to the CPU on webgpu is not known. ${error.message}`],
    };
  }
}

function renderFallbacks(fallbacks: readonly Fallback[], terminal: Terminal): string {
  if (fallbacks.length === 0)
    return `${style(terminal, 'green', 'On webgpu nothing falls back to the CPU.')}\n`;
  const rows = fallbacks.map(({ node, op, domain, reason }) => [
    domain === '' ? op : `${domain}.${op}`,
    node,
    reason,
  ]);
  return `\n${style(terminal, 'bold', 'on webgpu these fall back to the CPU')}\n${renderTable(rows)}`;
}

/** The whole report as text. */
function renderInspection(found: Inspection, terminal: Terminal): string {
  const title = (text: string) => `\n${style(terminal, 'bold', text)}\n`;
  const { parameters } = found;
  const trained = parameters.filter(({ trains }) => trains);
  const size = (list: typeof parameters) =>
    list.reduce((total, { shape }) => total + shape.reduce((a, b) => a * b, 1), 0);
  return [
    `${found.file}: ${found.kind === 'artifacts' ? 'training artifacts' : 'a forward model'}`,
    `, opset ${found.opset ?? 'unknown'}${found.producer === '' ? '' : `, written by ${found.producer}`}\n`,
    title('inputs'),
    renderTable(found.inputs.map(describeValue)),
    title('outputs'),
    renderTable(found.outputs.map(describeValue)),
    title(
      `parameters: ${trained.length} of ${parameters.length} train, ${formatCount(size(trained))} of ${formatCount(size(parameters))} numbers`,
    ),
    renderTable(
      parameters.map(({ name, type, shape, trains, why }) => [
        trains ? '✓' : '-',
        name,
        `${type} [${shape.join(', ')}]`,
        why,
      ]),
    ),
    title('ops'),
    renderTable(found.ops.map(describeOp)),
    ...(found.cuts.length > 0 ? [title('no gradient comes back'), describeCuts(found)] : []),
    verdict(found, terminal),
  ].join('');
}

function describeValue({ name, type, shape }: Inspection['inputs'][number]): readonly string[] {
  const dims =
    shape === undefined ? 'of unknown rank' : `[${shape.map((dim) => dim ?? '?').join(', ')}]`;
  return [name, `${type ?? 'unknown type'} ${dims}`];
}

function describeOp({ op, domain, count, gradient, runs, refused }: OpUse): readonly string[] {
  const problems = [
    ...(gradient === 'missing' ? ['no gradient'] : []),
    ...(runs ? [] : ['no lowering']),
  ];
  const where =
    problems.length === 0
      ? ''
      : `${problems.join(', ')}: ${refused.slice(0, 3).join(', ')}${refused.length > 3 ? ', ...' : ''}`;
  return [String(count).padStart(4), domain === '' ? op : `${domain}.${op}`, where];
}

/** Parameters that the loss depends on through whole numbers or steps only. */
function describeCuts({ cuts }: Inspection): string {
  const reasons = { integer: 'makes whole numbers', flat: 'is flat' } as const;
  return renderTable(
    cuts.map(({ parameter, nodes }) => [
      parameter,
      nodes.map(({ node, op, why }) => `${op} ${node} ${reasons[why]}`).join(', '),
    ]),
  );
}

function verdict({ ops, parameters, unreachable }: Inspection, terminal: Terminal): string {
  const named = (list: readonly OpUse[]) => list.map(({ op }) => op).join(', ');
  const underived = ops.filter(({ gradient }) => gradient === 'missing');
  const stuck = ops.filter(({ runs }) => !runs);
  const problems = [
    ...(parameters.some(({ trains }) => trains) ? [] : ['nothing in it trains']),
    ...(underived.length > 0 ? [`no gradient is known for ${named(underived)}`] : []),
    ...(unreachable.length > 0 ? [`no gradient reaches ${unreachable.join(', ')}`] : []),
    ...(stuck.length > 0 ? [`ONNX Runtime cannot run ${named(stuck)}`] : []),
  ];
  return problems.length === 0
    ? `\n${style(terminal, 'green', 'It can be trained.')}\n`
    : `\n${style(terminal, 'red', `It cannot be trained as it is: ${problems.join('; ')}.`)}\n`;
}
