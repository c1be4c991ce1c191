import { GradwareError } from '../errors.js';
import { type Place, refuse } from './element-types.js';

/** Gives the content of a file of external tensor data, named as in the model; undefined where there is none. */
export type ExternalData = (location: string) => Uint8Array | undefined;

/** Gives the bytes of one tensor in a file of external data; without a length, all to its end.
 *  @throws GradwareError FILE for a missing file, the place's code for bytes outside it or of another tensor */
export type ExternalReader = (
  location: string,
  offset: number,
  length: number | undefined,
  place: Place,
) => Uint8Array;

interface Range {
  readonly begin: number;
  readonly end: number;
  readonly where: string | undefined;
}

interface ExternalFile {
  readonly bytes: Uint8Array;
  /** What has been given away, in the order of the file. */
  readonly taken: Range[];
}

/** `./w.bin` is `w.bin`. */
const normal = (location: string): string =>
  location
    .split('/')
    .filter((part, i) => part !== '.' && (part !== '' || i === 0))
    .join('/');

/** Reads each file once, and gives each of its bytes to one tensor only. */
export function externalReader(source: ExternalData | undefined): ExternalReader {
  const files = new Map<string, ExternalFile>();
  function open(location: string, { where }: Place): ExternalFile {
    const name = normal(location);
    const known = files.get(name);
    if (known !== undefined) return known;
    const bytes = source?.(location);
    if (bytes === undefined)
      throw new GradwareError('FILE', `The external tensor data "${location}" is not at hand`, {
        ...(where === undefined ? {} : { where }),
        remedy: 'Give the file beside the model, or save the model with its weights inside.',
      });
    const file = { bytes, taken: [] };
    files.set(name, file);
    return file;
  }
  return (location, offset, length, place) => {
    const { bytes, taken } = open(location, place);
    const end = offset + (length ?? Math.max(bytes.byteLength - offset, 0));
    if (end > bytes.byteLength)
      refuse(
        `External tensor data ends at byte ${end} of "${location}", which has ${bytes.byteLength}`,
        place,
      );
    claim(taken, { begin: offset, end, where: place.where }, location, place);
    return bytes.subarray(offset, end);
  };
}

function claim(taken: Range[], range: Range, location: string, place: Place): void {
  if (range.begin === range.end) return;
  let [low, high] = [0, taken.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((taken[middle] as Range).begin < range.begin) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [taken[low - 1], taken[low]];
  const other =
    before !== undefined && before.end > range.begin
      ? before
      : after !== undefined && after.begin < range.end
        ? after
        : undefined;
  if (other !== undefined)
    refuse(
      `External tensor data overlaps: bytes ${range.begin} to ${range.end} of "${location}" belong in part to ${other.where ?? 'another tensor'}`,
      place,
    );
  taken.splice(low, 0, range);
}
