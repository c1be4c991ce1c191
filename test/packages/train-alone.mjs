// node train-alone.mjs <model> <plugin package> <its factory> <its options as JSON>
// What somebody would write who installed core, one plugin and onnxruntime-node, and nothing else.
import { Tensor, TrainingSession } from '@gradware/core/node';

const [model, name, factory, options] = process.argv.slice(2);
const plugins = [(await import(name))[factory](JSON.parse(options))];
const session = await TrainingSession.create(model, { plugins, seed: 7, learningRate: 0.01 });

const rows = 16;
const pixels = Float32Array.from({ length: rows * 64 }, (_, i) => Math.abs(Math.sin(i)));
const [input, labels] = session.trainingInputNames;
const batch = {
  [input]: new Tensor('float32', pixels, [rows, 1, 8, 8]),
  [labels]: new Tensor(
    'int64',
    BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % 10)),
    [rows],
  ),
};

const losses = [];
const names = new Set();
for (let step = 0; step < 40; step++) {
  const { loss, metrics } = await session.step(batch);
  losses.push(loss);
  for (const metric of Object.keys(metrics)) names.add(metric);
}
await session.release();
console.log(JSON.stringify({ losses, metrics: [...names] }));
