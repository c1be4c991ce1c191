/** Numbers as people read them: four digits that count, exponents only where zeros would be counted. */
export function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  const size = Math.abs(value);
  if (!Number.isFinite(value)) return String(value);
  return size >= 1e-3 && size < 1e5 ? value.toPrecision(4) : value.toExponential(2);
}

/** 1:05, 2:03:04 */
export function formatTime(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [
    Math.floor(whole / 3600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  const two = (n: number) => String(n).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** 12.3 or 1,234 */
export function formatRate(perSecond: number): string {
  if (perSecond < 100) return perSecond.toPrecision(3);
  return String(Math.round(perSecond)).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** 0.9833 → 98.33 % */
export function formatShare(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** A text as it is typed into a shell: what a shell would split or read otherwise stands in quotes. */
export function asArgument(text: string, platform: string = process.platform): string {
  if (/^[\p{L}\p{M}\p{N}/.,:_@%+=-]+$/u.test(text)) return text;
  return platform === 'win32' ? `"${text}"` : `'${text.replaceAll("'", "'\\''")}'`;
}
