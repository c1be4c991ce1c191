/** What may separate fields. */
const signs = [',', ';', '\t', '|'] as const;

/** The sign that stands most often in the first line that holds anything, outside quotes; ',' where there is none. */
export function findDelimiter(bytes: Uint8Array): string {
  const counts = new Map<number, number>();
  let quoted = false;
  let empty = true;
  for (const byte of bytes) {
    if (byte === quote) quoted = !quoted;
    else if (!quoted && (byte === lineFeed || byte === carriageReturn)) {
      if (!empty) break;
      continue;
    } else if (!quoted) counts.set(byte, (counts.get(byte) ?? 0) + 1);
    empty = false;
  }
  const times = (sign: string) => counts.get(sign.charCodeAt(0)) ?? 0;
  return signs.reduce((best: string, sign) => (times(sign) > times(best) ? sign : best), ',');
}

const [quote, lineFeed, carriageReturn] = [0x22, 0x0a, 0x0d];

/** The delimiter of a line that was cut at another. */
export function otherDelimiter(line: string, delimiter: string): string | undefined {
  return signs.find((sign) => sign !== delimiter && line.includes(sign));
}

/** The text as UTF-8 without a byte order mark: spreadsheets also write UTF-16, and Windows-1252, in which what is no
 *  UTF-8 is read, so that names that differ stay different. */
export function asUtf8(bytes: Uint8Array): Uint8Array {
  const [first, second, third] = bytes;
  if (first === 0xef && second === 0xbb && third === 0xbf) return bytes.subarray(3);
  const encoding =
    first === 0xff && second === 0xfe
      ? 'utf-16le'
      : first === 0xfe && second === 0xff
        ? 'utf-16be'
        : isUtf8(bytes)
          ? undefined
          : 'windows-1252';
  if (encoding === undefined) return bytes;
  return new TextEncoder().encode(new TextDecoder(encoding).decode(bytes));
}

const pieceLength = 2 ** 16;

function isUtf8(bytes: Uint8Array): boolean {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    for (let at = 0; at < bytes.length; at += pieceLength)
      decoder.decode(bytes.subarray(at, at + pieceLength), { stream: true });
    decoder.decode();
    return true;
  } catch {
    return false;
  }
}

/** Whether a first line holds data: numbers with decimals or signs. Whole numbers may be names, and so may numbers that
 *  only rise or fall, such as wavelengths. */
export function isDataLine(fields: readonly string[]): boolean {
  const numbers = fields.map((field) => (field === '' ? Number.NaN : Number(field)));
  if (!numbers.every(Number.isFinite) || numbers.every((n) => Number.isInteger(n) && n >= 0))
    return false;
  const steps = numbers.slice(1).map((n, i) => Math.sign(n - (numbers[i] ?? 0)));
  return !(steps.length > 1 && steps[0] !== 0 && steps.every((step) => step === steps[0]));
}
