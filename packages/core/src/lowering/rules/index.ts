import type { LoweringRule, LoweringRules } from '../rule.js';
import { accumulators } from './accumulators.js';
import { activations } from './activations.js';
import { broadcasting } from './broadcasting.js';
import { convolution } from './convolution.js';
import { drawn } from './drawn.js';
import { dropout } from './dropout.js';
import { gru } from './gru.js';
import { indexing } from './indexing.js';
import { losses } from './losses.js';
import { lstm } from './lstm.js';
import { multiplyAdds } from './multiply-add.js';
import { normalization } from './normalization.js';
import { pooling } from './pooling.js';
import { quantization } from './quantization.js';
import { reductions } from './reductions.js';
import { resizing } from './resize.js';
import { rowLosses } from './row-losses.js';
import { softmax } from './softmax.js';
import { standard } from './standard.js';
import { transposedConvolution } from './transposed-convolution.js';
import { webgpuConvolution } from './webgpu-convolution.js';
import { webgpuGaps } from './webgpu-gaps.js';
import { webgpuNan } from './webgpu-nan.js';

const loweringRules: LoweringRules = {
  ...accumulators,
  ...activations,
  ...broadcasting,
  ...convolution,
  ...drawn,
  ...dropout,
  ...gru,
  ...indexing,
  ...losses,
  ...lstm,
  ...multiplyAdds,
  ...normalization,
  ...pooling,
  ...quantization,
  ...reductions,
  ...resizing,
  ...rowLosses,
  ...softmax,
  ...standard,
  ...transposedConvolution,
  ...webgpuConvolution,
  ...webgpuGaps,
  ...webgpuNan,
};

export function loweringRuleOf(opType: string): LoweringRule | undefined {
  return Object.hasOwn(loweringRules, opType) ? loweringRules[opType] : undefined;
}
