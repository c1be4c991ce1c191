import { domainOf, isTrainingOp } from '../../packages/core/src/graph/dialect.js';
import { loweringFamilies } from '../parity/lowering/index.js';
import type { LoweringCase } from './compare.js';
import { kernelsLacking } from './kernels-lacking.js';
import { layLowered } from './lowering.js';

const cases = Object.values(loweringFamilies).flat();

const domain = (given: LoweringCase) => given.domain ?? domainOf(given.opType);

const plural = (count: number) => `${count} case${count === 1 ? '' : 's'}`;

/** By what, how often, and why not by ORT's kernel of the op itself. */
function checkedBy(own: readonly LoweringCase[]): string {
  const others = new Map<string, LoweringCase[]>();
  for (const given of own) {
    const { by, because } = given.reference ?? { by: 'ORT', because: '' };
    const key = because === '' ? by : `${by}, because ${because}`;
    others.set(key, [...(others.get(key) ?? []), given]);
  }
  return [...others].map(([by, { length }]) => `${plural(length)} by ${by}`).join('; ');
}

function leftToCpu(own: readonly LoweringCase[]): readonly string[] {
  const found = own.flatMap((given) => {
    const { nodes, builder } = layLowered({ ...given, provider: 'webgpu' });
    return kernelsLacking(nodes, builder);
  });
  return [...new Set(found)].sort();
}

/** The second table of docs/OPERATORS.md: ORT's training dialect. */
export function loweringTable(): string {
  const trained = cases.filter((given) => isTrainingOp(given.opType, domain(given)));
  const names = [...new Set(trained.map(({ opType }) => opType))].sort();
  const rows = names.map((name) => {
    const own = trained.filter(({ opType }) => opType === name);
    return { name, own, onCpu: leftToCpu(own) };
  });
  const lines = rows.map(({ name, own, onCpu }) => {
    const webgpu = onCpu.length === 0 ? 'yes' : `CPU for ${onCpu.join(', ')}`;
    return `| ${name} | ${checkedBy(own)} | run | ${webgpu} |`;
  });
  const byOrt = rows.filter(({ own }) => own.some(({ reference }) => reference === undefined));
  return `## ONNX Runtime's training ops

What the training models of ONNX Runtime's own tools use, and stock ONNX Runtime has no kernels for, is lowered to
standard ops.

| | operators |
|---|---|
| lowered | ${rows.length}, in ${trained.length} cases |
| checked by ORT's own training kernels | ${byOrt.length} |
| wholly on the GPU with webgpu, by table | ${rows.filter(({ onCpu }) => onCpu.length === 0).length} |

* **checked by**: the op alone, over shapes and attributes, against the kernel of ORT's training runtime 1.19.2; *by
  definition*, and so on, where that kernel is missing or wrong.
* **cpu**: the forms for every provider run on stock ONNX Runtime's CPU kernels.
* **webgpu**: as above.

| op | checked by | cpu | webgpu |
|---|---|---|---|
${lines.join('\n')}
`;
}
