import { readdirSync, readFileSync } from 'node:fs';
import { gradientRuleOf, isDifferentiable } from '../../packages/core/src/gradients/rules/index.js';
import { decompositionOf } from '../../packages/core/src/graph/decompose/index.js';
import { upgradeModel } from '../../packages/core/src/graph/upgrade.js';
import { upgrades } from '../../packages/core/src/graph/upgrade-rules.js';
import type { Node } from '../../packages/core/src/onnx/ir.js';
import { decodeModel } from '../../packages/core/src/onnx/model.js';
import { gradientPaths } from '../../packages/core/src/training/source/gradient-paths.js';
import { families } from '../parity/families.js';
import { goldenLayers } from '../parity/golden-layers.js';
import { isRefereedByOrt } from '../parity/ort-referee.js';
import { type GradientCase, layCase } from './check-gradients.js';
import { kernelsLacking } from './kernels-lacking.js';
import { knownOperators } from './known-operators.js';
import { loweringTable } from './lowered-operators.js';

type Gradient = 'rule' | 'taken apart' | 'written anew' | 'zero' | '';

/** Ops of other opsets that the model is upgraded, or brought back, from. */
const writtenAs: Readonly<Record<string, string>> = {
  RMSNormalization: 'SimplifiedLayerNormalization',
  Upsample: 'Resize',
};

interface Row {
  readonly op: string;
  readonly gradient: Gradient;
  /** How many cases are compared with finite differences, on the CPU. */
  readonly differences: number;
  /** How many of them are compared with ORT's own training kernels too. */
  readonly ort: number;
  /** Whole models, with this op on the way of a gradient, that are compared with PyTorch. */
  readonly models: readonly string[];
  /** How many cases of the op alone are compared with PyTorch. */
  readonly pytorch: number;
  /** What the WebGPU provider would leave to the CPU; undefined where no case tells. */
  readonly onCpu: readonly string[] | undefined;
}

const title = ({ opType, domain }: Pick<Node, 'opType' | 'domain'>) =>
  domain === '' ? opType : `${domain}.${opType}`;

function nodeOf(op: string): Pick<Node, 'opType' | 'domain'> {
  const at = op.lastIndexOf('.');
  return { domain: op.slice(0, Math.max(0, at)), opType: op.slice(at + 1) };
}

interface Tested {
  readonly ops: readonly string[];
  /** Whether it is about one op, so that what falls back is that op's doing. */
  readonly alone: boolean;
  readonly ort: boolean;
  readonly onCpu: readonly string[];
}

/** What a case tests: the op it is named after, or all that it builds. */
function examine(checked: GradientCase): Tested {
  const { forward, nodes, builder } = layCase(checked, 'webgpu');
  const own = forward.filter(({ opType }) => opType === checked.op);
  const alone = own.length > 0 && checked.build === undefined;
  const tested = alone ? own : forward;
  return {
    alone,
    ops: [...new Set(tested.map(title))],
    ort: isRefereedByOrt(checked),
    // On webgpu recurrences stay unrolled.
    onCpu: checked.longestUnrolled === undefined ? kernelsLacking(nodes, builder) : [],
  };
}

const folder = (path: string) => new URL(`../${path}`, import.meta.url);

/** Ops on the way of a gradient, by the models in test/golden whose gradients are compared with PyTorch's. */
function comparedModels(): ReadonlyMap<string, ReadonlySet<string>> {
  const files = readdirSync(folder('golden/'))
    .filter((file) => file.endsWith('.onnx'))
    .sort();
  return new Map(
    files.map((file) => {
      const bytes = new Uint8Array(readFileSync(new URL(file, folder('golden/'))));
      const { graph } = upgradeModel(decodeModel(bytes, { file }));
      const trained = [...graph.initializers].flatMap(([name, { type, dims }]) =>
        type.startsWith('float') && dims.length > 0 ? [name] : [],
      );
      const outputs = graph.outputs.slice(0, 1).map(({ name }) => name);
      const { onPath } = gradientPaths(graph, trained, outputs);
      return [file.replace(/^(model-)?(.*)\.onnx$/, '$2'), new Set([...onPath].map(title))];
    }),
  );
}

function gradientOf(op: string): Gradient {
  const node = nodeOf(op);
  if (!isDifferentiable(node.opType)) return 'zero';
  if (decompositionOf(node) !== undefined) return 'taken apart';
  if (Object.hasOwn(upgrades, op) && Object.hasOwn(writtenAs, op)) return 'written anew';
  return gradientRuleOf(node) === undefined ? '' : 'rule';
}

function rows(): readonly Row[] {
  const tests = Object.values(families).flat().map(examine);
  const models = comparedModels();
  const tested = tests.flatMap(({ ops }) => ops);
  const all = new Set([...knownOperators, ...tested]);
  return [...all].sort().map((op): Row => {
    const own = tests.filter(({ ops }) => ops.includes(op));
    const single = own.filter(({ alone }) => alone);
    const judged = single.length > 0 ? single : own;
    const compared = [...models].flatMap(([name, ops]) => (ops.has(op) ? [name] : []));
    return {
      op,
      gradient: gradientOf(op),
      differences: own.length,
      ort: own.filter(({ ort }) => ort).length,
      models: compared,
      pytorch: goldenLayers.filter(({ opType }) => opType === op).length,
      onCpu:
        judged.length === 0 ? undefined : [...new Set(judged.flatMap(({ onCpu }) => onCpu))].sort(),
    };
  });
}

const marks: Readonly<Record<Gradient, string>> = {
  rule: 'yes',
  'taken apart': 'yes, taken apart',
  'written anew': 'yes, as ',
  zero: 'none flows',
  '': 'no',
};

function checkedBy({ differences, ort, models, pytorch }: Row): string {
  const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;
  const byPytorch = [...(pytorch > 0 ? [plural(pytorch, 'case')] : []), ...models];
  return [
    ...(differences > 0 ? [`finite differences (${plural(differences, 'case')})`] : []),
    ...(ort > 0 ? [`ORT (${ort})`] : []),
    ...(byPytorch.length > 0 ? [`PyTorch (${byPytorch.join(', ')})`] : []),
  ].join('; ');
}

function onWebgpu({ onCpu }: Row): string {
  if (onCpu === undefined) return '';
  return onCpu.length === 0 ? 'yes' : `CPU for ${onCpu.join(', ')}`;
}

/** docs/OPERATORS.md */
export function operatorsTable(): string {
  const all = rows();
  const count = (holds: (row: Row) => boolean) => all.filter(holds).length;
  const flows = all.filter(({ gradient }) => gradient !== 'zero' && gradient !== '');
  const cases = Object.values(families).flat().length;
  const lines = all.map((row) => {
    const cpu = row.differences > 0 ? 'run' : row.models.length > 0 ? 'run' : '';
    const gradient = `${marks[row.gradient]}${writtenAs[row.op] ?? ''}`;
    const cells = [row.op, gradient, checkedBy(row), cpu, onWebgpu(row)];
    return `| ${cells.join(' | ')} |`;
  });
  return `# Operators

Made from the tests by \`pnpm docs:operators\`; a test fails where it is stale.

| | operators |
|---|---|
| listed | ${all.length} |
| with a gradient | ${flows.length} (${count((row) => row.gradient === 'taken apart')} of them taken apart into others) |
| through which no gradient flows | ${count((row) => row.gradient === 'zero')} |
| without a gradient yet | ${count((row) => row.gradient === '')} |
| checked by finite differences | ${count((row) => row.differences > 0)}, in ${cases} cases |
| checked by ORT's own training kernels | ${count((row) => row.ort > 0)} |
| checked by PyTorch, in whole models | ${count((row) => row.models.length > 0)} |
| checked by PyTorch, alone | ${count((row) => row.pytorch > 0)} |
| run on the CPU | ${count((row) => row.differences > 0 || row.models.length > 0)} |
| wholly on the GPU with webgpu, by table | ${count((row) => row.onCpu?.length === 0)} |

* **gradient**: *yes* means a rule, *taken apart* that the op is written with others first,
  *as X* that models of other opsets are rewritten with X. *None flows* is declared: the
  output does not depend smoothly on any input.
* **checked by**: *finite differences* over attributes, broadcasting and degenerate shapes, in double precision where ONNX
  Runtime has it; *ORT*: how many of these cases also agree with the kernels of ORT's training runtime 1.19.2; *PyTorch*:
  how many cases of the op alone in \`test/golden\` have PyTorch's gradients, and which models there that use it.
* **cpu**: the checks run forward and backward on stock ONNX Runtime's CPU provider.
* **webgpu**: not run but looked up, for all nodes of forward and backward in all cases, in the list of ops that
  onnxruntime-node 1.30's WebGPU provider ran without fallback. *CPU for X* means that X falls back to the CPU, which
  works and is slower.

| op | gradient | checked by | cpu | webgpu |
|---|---|---|---|---|
${lines.join('\n')}

${loweringTable()}`;
}
