import { tensorOf } from '../../packages/core/src/graph/constants.js';
import {
  batch,
  branches,
  cell,
  first,
  graph,
  type Line,
  start,
  steps,
  whileLoop,
  width,
} from './sequence-graphs.js';

/** Models with loops and lists: the outputs, the op and the inputs of each node. */
export const cases: Readonly<Record<string, readonly Line[]>> = {
  'a loop over time, whose length follows from the shape': [
    ...start,
    ['logits', 'Loop', 'length yes h0', { body: graph('turn going h', cell, 'on next') }],
  ],
  'a loop that puts its states on a list': [
    ...start,
    ['emptylist', 'SequenceEmpty', ''],
    [
      'end fulllist',
      'Loop',
      'length yes h0 emptylist',
      {
        body: graph(
          'turn going h seqlist',
          [...cell, ['longlist', 'SequenceInsert', 'seqlist next']],
          'on next longlist',
        ),
      },
    ],
    ['logits', 'ConcatFromSequence', 'fulllist', { axis: 1, new_axis: 1 }],
  ],
  'lists taken apart and joined': [
    ['xw', 'MatMul', 'x w'],
    ['alist', 'SplitToSequence', 'xw', { axis: 1, keepdims: 0 }],
    ['blist', 'SplitToSequence', 'xw parts', { axis: 1 }],
    ['clist', 'SplitToSequence', 'xw two', { axis: 2 }],
    ['a', 'SequenceAt', 'alist last'],
    ['b2', 'SequenceAt', 'blist one'],
    ['bs', 'ReduceSum', 'b2', { keepdims: 0 }],
    ['dlist', 'SequenceInsert', 'clist xw zero'],
    ['elist', 'SequenceErase', 'dlist one'],
    ['same', 'Identity', 'elist'],
    ['joined', 'ConcatFromSequence', 'same', { axis: -1 }],
    ['count', 'SequenceLength', 'same'],
    ['times', 'Cast', 'count', { to: 1 }],
    ['scaled', 'Mul', 'joined times'],
    ['ab', 'Add', 'a bs'],
    ['fresh', 'SequenceConstruct', 'ab b'],
    ['abb', 'SequenceAt', 'fresh zero'],
    ['bb', 'SequenceAt', 'fresh one'],
    ['b3', 'Mul', 'abb bb'],
    ['more', 'ReduceSum', 'b3', { keepdims: 0 }],
    ['logits', 'Add', 'scaled more'],
  ],
  'a loop that ends early': [
    ...first,
    [
      'logits count',
      'Loop',
      'four yes h0 zero',
      { body: whileLoop([['on', 'Identity', 'small']], 'on') },
    ],
  ],
  'a branch on what a loop gives, whose rank nothing states': [
    ...start,
    ['h', 'Loop', 'length yes h0', { body: graph('turn going h', cell, 'on next') }],
    ['sum', 'ReduceSum', 'h', { keepdims: 0 }],
    ['positive', 'Less', 'sum six'],
    [
      'chosen',
      'If',
      'positive',
      {
        then_branch: graph('', [['y', 'Sin', 'h']], 'y'),
        else_branch: graph('', [['z', 'Exp', 'h']], 'z'),
      },
    ],
    ['logits', 'Identity', 'chosen'],
  ],
  'a while loop with a counter': [
    ...first,
    [
      'logits count',
      'Loop',
      'many yes h0 zero',
      { body: whileLoop([['on', 'And', 'small few']], 'on') },
    ],
  ],
  'a while loop with a counter in a branch': [
    ...first,
    [
      'logits count',
      'Loop',
      'many yes h0 zero',
      {
        body: whileLoop(
          [
            [
              'on',
              'If',
              'small',
              {
                then_branch: graph('', [['onward', 'Less', 'counted four']], 'onward'),
                else_branch: graph('', [['onno', 'Not', 'yes']], 'onno'),
              },
            ],
          ],
          'on',
        ),
      },
    ],
  ],
  'a loop over time that a counter ends, as tf2onnx writes the recurrences of Keras': [
    ...start,
    ['many32', 'Cast', 'length', { to: 1 }],
    ['time32', 'Cast', 'zero', { to: 1 }],
    ['first', 'Less', 'time32 many32'],
    [
      'time end weights rows',
      'Loop',
      ' first zero h0 w',
      {
        body: graph(
          'turn going count h w1',
          [
            ['hw', 'Gemm', 'h w1 b'],
            ['xt', 'Gather', 'x count', { axis: 1 }],
            ['both', 'Add', 'hw xt'],
            ['next', 'Tanh', 'both'],
            ['counted', 'Add', 'count one'],
            ['later32', 'Cast', 'counted', { to: 1 }],
            ['length32', 'Cast', 'length', { to: 1 }],
            ['on', 'Less', 'later32 length32'],
            ['row', 'Identity', 'next'],
          ],
          'on counted next w1 row',
        ),
      },
    ],
    ['across', 'Transpose', 'rows', { perm: [1, 0, 2] }],
    ['logits', 'Reshape', 'across wide'],
  ],
  'a loop over windows from the last step to the first, with weights that it hands on': [
    ...start,
    [
      'end weights rows places',
      'Loop',
      'length - h0 w',
      {
        body: graph(
          'turn going h w1',
          [
            ['past', 'Sub', 'length turn'],
            ['ends', 'Unsqueeze', 'past axis'],
            ['starts', 'Sub', 'ends single'],
            ['window', 'Slice', 'x starts ends single'],
            ['xt', 'Squeeze', 'window single'],
            ['hw', 'Gemm', 'h w1 b'],
            ['both', 'Add', 'hw xt'],
            ['place', 'Cast', 'past', { to: 1 }],
            ['shared', 'Div', 'both place'],
            ['next', 'Tanh', 'shared'],
            ['w2', 'Identity', 'w1'],
            ['row', 'Mul', 'next place'],
            ['on', 'Identity', 'going'],
          ],
          'on next w2 row place',
        ),
      },
    ],
    ['mean', 'ReduceMean', 'rows', { axes: [0], keepdims: 0 }],
    ['final', 'Gather', 'rows last', { axis: 0 }],
    ['total', 'ReduceSum', 'places', { keepdims: 0 }],
    ['scaled', 'Mul', 'mean total'],
    ['more', 'MatMul', 'final weights'],
    ['logits', 'Add', 'scaled more'],
  ],
  'a loop that looks at nothing but its state': [
    ...first,
    [
      'logits',
      'Loop',
      'three yes h0',
      {
        body: graph(
          'turn going h',
          [
            ['next', 'Gemm', 'h w b'],
            ['on', 'Identity', 'going'],
          ],
          'on next',
        ),
      },
    ],
  ],
  'a loop over another recurrence, and a normalisation by running statistics': [
    ['v', 'Constant', '', { value: tensorOf('float32', [1, 2, 0.5, 4]) }],
    ['w3', 'Unsqueeze', 'w axis'],
    ...first,
    [
      'logits',
      'Loop',
      'three yes h0',
      {
        body: graph(
          'turn going h',
          [
            ['h3', 'Unsqueeze', 'h axis'],
            ['- r3', 'RNN', 'h3 w3 w3', { hidden_size: width }],
            ['r', 'Squeeze', 'r3 axis'],
            ['n', 'BatchNormalization', 'r b b b v'],
            ['next', 'Sin', 'n'],
            ['on', 'Identity', 'going'],
          ],
          'on next',
        ),
      },
    ],
  ],
  'branches thirty deep': [
    ...first,
    ['s', 'ReduceSum', 'b', { keepdims: 0 }],
    ['positive', 'Less', 's six'],
    ['chosen', 'If', 'positive', { then_branch: branches(30), else_branch: branches(0) }],
    ['logits', 'MatMul', 'chosen w'],
  ],
  'a loop that puts its states side by side': [
    ...first,
    [
      'wider',
      'Loop',
      'three yes h0',
      {
        body: graph(
          'turn going h',
          [
            ['hb', 'ReduceMean', 'h', { axes: [1], keepdims: 1 }],
            ['hw', 'Mul', 'hb b'],
            ['next', 'Concat', 'h hw', { axis: 1 }],
            ['on', 'Identity', 'going'],
          ],
          'on next',
        ),
      },
    ],
    ['sums', 'ReduceSum', 'wider single', { keepdims: 1 }],
    ['h0w', 'MatMul', 'h0 w'],
    ['logits', 'Mul', 'h0w sums'],
  ],
  'padding whose sizes are computed from shapes, as torch.onnx writes it': [
    ['shape', 'Shape', 'x'],
    ['rank', 'Shape', 'shape'],
    ['double', 'Mul', 'rank twos'],
    ['missing', 'Sub', 'double twos'],
    ['fill', 'ConstantOfShape', 'missing', { value: tensorOf('int64', [0]) }],
    ['whole', 'Concat', 'parts fill', { axis: 0 }],
    ['pairs', 'Reshape', 'whole square'],
    ['turned', 'Slice', 'pairs back beyond axis back'],
    ['across', 'Transpose', 'turned', { perm: [1, 0] }],
    ['pads', 'Reshape', 'across flat'],
    ['xw', 'MatMul', 'x w'],
    ['padded', 'Pad', 'xw pads'],
    ['bb', 'ReduceSum', 'b', { keepdims: 0 }],
    ['logits', 'Mul', 'padded bb'],
  ],
  'branches that give lists': [
    ['xw', 'MatMul', 'x w'],
    ['sum', 'ReduceSum', 'xw', { keepdims: 0 }],
    ['positive', 'Less', 'sum six'],
    [
      'elist',
      'If',
      'positive',
      {
        then_branch: graph('', [['ylist', 'SequenceConstruct', 'xw b']], 'ylist'),
        else_branch: graph('', [['nlist', 'SequenceConstruct', 'x b']], 'nlist'),
      },
    ],
    ['p', 'SequenceAt', 'elist zero'],
    ['q', 'SequenceAt', 'elist one'],
    ['pq', 'Add', 'p q'],
    ['logits', 'Tanh', 'pq'],
  ],
};

/** Of the logits, where they are not one row for each example. */
export const shapes: Readonly<Record<string, readonly number[]>> = {
  'a loop that puts its states on a list': [batch, steps, width],
  'a loop over time that a counter ends, as tf2onnx writes the recurrences of Keras': [
    batch,
    steps * width,
  ],
  'lists taken apart and joined': [batch, steps, 2 * width - 2],
  'padding whose sizes are computed from shapes, as torch.onnx writes it': [
    batch,
    steps,
    width + 3,
  ],
  'branches that give lists': [batch, steps, width],
};
