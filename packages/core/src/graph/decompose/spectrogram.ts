import { tensorOf } from '../constants.js';
import { int, type Value } from '../value.js';
import { decompositions, type FormContext } from './decomposition.js';
import { known } from './patches.js';

/** Frames that overlap, weighted, and transformed one by one. */
function stft(context: FormContext): readonly Value[] {
  const { op, x, attributes, node } = context;
  const [signal, , window] = x;
  const has = (i: number) => (node.inputs[i] ?? '') !== '';
  const [step = 1] = known(context, 1);
  const [size = 1] = has(3) ? known(context, 3) : window.shape;
  const [batch = 0, length = 0, parts = 1] = signal.shape;
  const count = Math.floor((length - size) / step) + 1;
  const places = Array.from(
    { length: count * size },
    (_, i) => Math.floor(i / size) * step + (i % size),
  );
  const all = op.reshape(signal, [batch, length, parts]);
  const frames = op.Gather(all, op.constant(tensorOf('int64', places, [count, size])), { axis: 1 });
  const weighed = has(2) ? op.Mul(frames, op.reshape(window, [size, 1])) : frames;
  const sizes = [op.scalar(size, 'int64'), op.scalar(2, 'int64')] as const;
  return [op.DFT(weighed, ...sizes, { onesided: int(attributes, 'onesided', 1) })];
}

export const spectrogram = decompositions({ STFT: stft });
