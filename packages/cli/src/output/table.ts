/** Columns of text, each as wide as its widest cell; the last is not padded. */
export function renderTable(
  rows: readonly (readonly string[])[],
  { indent = 2, gap = 2 }: { readonly indent?: number; readonly gap?: number } = {},
): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd((widths[i] ?? 0) + gap)))
      .join('');
  return rows.map((row) => `${' '.repeat(indent)}${line(row).trimEnd()}\n`).join('');
}
