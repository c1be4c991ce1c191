/** The one-file sequences of tensors that ORT's checkpoints were before 1.16, written by hand: nothing else does. */

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}

const field = (number: number, content: ArrayLike<number>): number[] => [
  ...varint(number * 8 + 2),
  ...varint(content.length),
  ...Array.from(content),
];

interface Floats {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** A .pbseq file of float tensors by name. */
export function tensorSequence(tensors: Iterable<readonly [string, Floats]>): Uint8Array {
  const messages = Array.from(tensors, ([name, { dims, data }]) => [
    ...dims.flatMap((dim) => [0x08, ...varint(dim)]),
    ...[0x10, 1],
    ...field(8, new TextEncoder().encode(name)),
    ...field(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ]);
  const parts = messages.flatMap((message) => [...varint(message.length), ...message]);
  return Uint8Array.from([...varint(messages.length), ...parts]);
}
