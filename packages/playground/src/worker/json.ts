const special: ReadonlyMap<string, number> = new Map([
  ['@Infinity', Number.POSITIVE_INFINITY],
  ['@-Infinity', Number.NEGATIVE_INFINITY],
  ['@NaN', Number.NaN],
]);

/** JSON that keeps numbers which JSON has no word for. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'number' && !Number.isFinite(one) ? `@${one}` : one,
  );
}

export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, one: unknown) =>
    typeof one === 'string' ? (special.get(one) ?? one) : one,
  );
}
