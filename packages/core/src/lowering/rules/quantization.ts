import { int } from '../../graph/value.js';
import { lowerings } from '../rule.js';

export const quantization = lowerings({
  // Straight through: y is the nearest level, the mask says where x is inside the range.
  FakeQuant: ({ op, x: [data, scale, zeroPoint], attributes }) => {
    const [low, high] = [int(attributes, 'quant_min', 0), int(attributes, 'quant_max', 255)];
    const [step, zero] = [op.reshape(scale, []), op.reshape(zeroPoint, [])];
    const level = op.Add(op.Round(op.Div(data, step)), zero);
    const clamped = op.Clip(level, low, high);
    const inside = op.And(op.GreaterOrEqual(level, low), op.LessOrEqual(level, high));
    return [op.Mul(op.Sub(clamped, zero), step), inside];
  },
  FakeQuantGrad: ({ op, x: [dy, mask] }) => op.Mul(dy, op.cast(mask, dy.type)),
});
