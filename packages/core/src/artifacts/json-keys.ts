/** The first key that an object in a JSON text has twice; JSON.parse would silently keep the last.
 *  The text must be valid JSON. */
export function repeatedKey(json: string): string | undefined {
  const objects: Set<string>[] = [];
  let previous = '';
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}:]/g)) {
    if (token === '{') objects.push(new Set());
    else if (token === '}') objects.pop();
    else if (token === ':') {
      const keys = objects.at(-1);
      const key = String(JSON.parse(previous));
      if (keys?.has(key)) return key;
      keys?.add(key);
    }
    previous = token;
  }
  return undefined;
}
