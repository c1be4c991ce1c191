import type { Node } from '../../onnx/ir.js';
import type { Decompositions } from './decomposition.js';
import { dequantizing } from './dequantize.js';
import { normalization } from './normalization.js';
import { recurrent } from './recurrent.js';
import { sequences } from './sequences.js';

/** Forms of ops that have no gradient rule of their own. */
export const takenApart: Decompositions = { ...dequantizing, ...normalization, ...recurrent };

/** What is always there. */
export const commonForms: Decompositions = { ...takenApart, ...sequences };

/** Ops with nested graphs: their forms are loaded when a graph has one. */
export const nestingOps = ['If', 'Loop', 'Scan'] as const;

/** The same, for ops that few models have. Lowering uses these, too. */
export const rareOps = [
  'AffineGrid',
  'CenterCropPad',
  'Col2Im',
  'Compress',
  'DeformConv',
  'Det',
  'GridSample',
  'MaxRoiPool',
  'RoiAlign',
  'STFT',
] as const;

/** The same, for what transformers and the optimizers of ONNX Runtime make. */
export const fusedOps = [
  'Attention',
  'RotaryEmbedding',
  'Swish',
  'com.microsoft.Attention',
  'com.microsoft.BiasAdd',
  'com.microsoft.BiasSplitGelu',
  'com.microsoft.EmbedLayerNormalization',
  'com.microsoft.FusedMatMul',
  'com.microsoft.GroupQueryAttention',
  'com.microsoft.MultiHeadAttention',
  'com.microsoft.RotaryEmbedding',
  'com.microsoft.TransposeMatMul',
] as const;

export const keyOf = ({ opType, domain }: Pick<Node, 'opType' | 'domain'>): string =>
  domain === '' ? opType : `${domain}.${opType}`;
