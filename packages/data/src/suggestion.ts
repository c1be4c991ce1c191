import { nearest } from '@gradware/core';

/** "Did you mean a or b? ": empty where nothing is near. */
export function suggestion(name: string, names: Iterable<string>): string {
  const near = nearest(name, names);
  return near.length === 0 ? '' : `Did you mean ${near.join(' or ')}? `;
}

/** A list for a message, cut after eight. */
export function list(names: Iterable<string>): string {
  const all = [...names];
  const shown = all.slice(0, 8).join(', ');
  return all.length > 8 ? `${shown}, ... (${all.length} in all)` : shown;
}
