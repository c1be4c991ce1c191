/** A float tensor inside the bytes of a safetensors file. */
interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

type Header = Readonly<Record<string, Entry | Readonly<Record<string, string>>>>;

function headerOf(bytes: Uint8Array): { readonly header: Header; readonly values: number } {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  return { header: JSON.parse(text) as Header, values: 8 + length };
}

const isEntry = (entry: Header[string]): entry is Entry => 'data_offsets' in entry;

/** The values of some float32 tensors of a checkpoint of ours, by key; what it does not have is left out. */
export function floatsIn(
  checkpoint: Uint8Array,
  keys: readonly string[],
): ReadonlyMap<string, Float32Array> {
  const { header, values } = headerOf(checkpoint);
  const found = new Map<string, Float32Array>();
  for (const key of keys) {
    const entry = header[key];
    if (entry === undefined || !isEntry(entry) || entry.dtype !== 'F32') continue;
    const [begin, end] = entry.data_offsets;
    // Copied: a view would have to lie aligned.
    found.set(key, new Float32Array(checkpoint.slice(values + begin, values + end).buffer));
  }
  return found;
}

/** The same checkpoint without some of its tensors. */
export function withoutTensors(
  checkpoint: Uint8Array,
  leaveOut: (key: string) => boolean,
): Uint8Array<ArrayBuffer> {
  const { header, values } = headerOf(checkpoint);
  const kept: Record<string, unknown> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [key, entry] of Object.entries(header)) {
    if (!isEntry(entry)) kept[key] = entry;
    else if (!leaveOut(key)) {
      const [begin, end] = entry.data_offsets;
      parts.push(checkpoint.subarray(values + begin, values + end));
      kept[key] = { ...entry, data_offsets: [at, at + end - begin] };
      at += end - begin;
    }
  }
  const text = JSON.stringify(kept);
  // Padded with blanks, so that values lie at a multiple of 8.
  const encoded = new TextEncoder().encode(text.padEnd(text.length + paddingOf(text), ' '));
  const bytes = new Uint8Array(8 + encoded.byteLength + at);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(encoded.byteLength), true);
  bytes.set(encoded, 8);
  let offset = 8 + encoded.byteLength;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

function paddingOf(text: string): number {
  const { length } = new TextEncoder().encode(text);
  return (8 - (length % 8)) % 8;
}
