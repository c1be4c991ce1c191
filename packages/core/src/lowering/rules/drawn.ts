import { float } from '../../graph/value.js';
import { type LoweringContext, type LoweringRule, lowerings } from '../rule.js';

// Numbers that ONNX Runtime would draw anew in every run are counted, as those of Dropout: runs repeat, whatever the
// number of steps in one, the provider, and where they were resumed.

const keyOf = ({ node, y }: LoweringContext) => node.name || y[0].name;

/** low + (high - low) · u, u uniform in [0, 1). */
const uniform: LoweringRule = (context) => {
  const { op, y, attributes, random } = context;
  const [low, high] = [float(attributes, 'low', 0), float(attributes, 'high', 1)];
  const drawn = op.Mul(random(y[0].shape, keyOf(context)), high - low);
  return op.cast(op.Add(drawn, low), y[0].type);
};

/** mean + scale · √(-2 ln(1 - u)) · cos(2πv) (Box and Muller 1958). */
const normal: LoweringRule = (context) => {
  const { op, y, attributes, random } = context;
  const [u, v] = ['radius', 'angle'].map((part) =>
    random(y[0].shape, `${keyOf(context)}/${part}`),
  ) as [LoweringContext['x'][0], LoweringContext['x'][0]];
  const radius = op.Sqrt(op.Mul(op.Log(op.Sub(1, u)), -2));
  const drawn = op.Mul(radius, op.Cos(op.Mul(v, 2 * Math.PI)));
  const scaled = op.Mul(drawn, float(attributes, 'scale', 1));
  return op.cast(op.Add(scaled, float(attributes, 'mean', 0)), y[0].type);
};

export const drawn = lowerings({
  RandomUniform: uniform,
  RandomUniformLike: uniform,
  RandomNormal: normal,
  RandomNormalLike: normal,
  Bernoulli: (context) => {
    const { op, x, y, random } = context;
    const drawn = random(y[0].shape, keyOf(context));
    return op.cast(op.Less(drawn, op.cast(x[0], 'float32')), y[0].type);
  },
});
