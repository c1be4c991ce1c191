// What both examples do: train the digits in a worker, and look at how smoothly the page goes on meanwhile.
import { evaluate, Tensor } from '@gradware/core/web';
import { openSession } from '@gradware/core/worker';
import { batches, decodeDataset } from '@gradware/data';

async function load(url) {
  const { columns, length } = decodeDataset({
    name: url,
    bytes: new Uint8Array(await (await fetch(url)).arrayBuffer()),
  });
  const feeds = [...columns.values()].map(({ name, type, data, shape }) => [
    name,
    new Tensor(type, data, shape),
  ]);
  return { length, feeds: Object.fromEntries(feeds) };
}

/** The longest time between two frames, in milliseconds, until `stop` is called. */
function watchFrames() {
  let last = performance.now();
  let longest = 0;
  let frames = 0;
  let going = true;
  requestAnimationFrame(function next(now) {
    longest = Math.max(longest, now - last);
    last = now;
    frames++;
    if (going) requestAnimationFrame(next);
  });
  return {
    stop() {
      going = false;
      return { longest, frames };
    },
  };
}

export async function trainDigits(worker, { files, setup }) {
  const session = await openSession(worker, { model: `${files}cnn.onnx`, ...setup });
  const train = await load(`${files}digits-train.npz`);
  const test = await load(`${files}digits-test.npz`);
  const order = { length: train.length, batchSize: 32, shuffle: true, dropLast: true };
  await session.steps({ data: train.feeds, rows: [...batches(order)].slice(0, 1) });
  const frames = watchFrames();
  let longestRun = 0;
  // An epoch in one run: on the page's own thread it would stand still for as long.
  for (let epoch = 0; epoch < 6; epoch++) {
    const began = performance.now();
    await session.steps({ data: train.feeds, rows: [...batches({ ...order, epoch })] });
    longestRun = Math.max(longestRun, performance.now() - began);
  }
  const { longest, frames: count } = frames.stop();
  const { accuracy } = await evaluate(session, test.feeds);
  const model = await session.exportModel();
  await session.release();
  return {
    accuracy,
    longestRun,
    longestFrame: longest,
    frames: count,
    bytes: model.byteLength,
    isolated: crossOriginIsolated,
  };
}
