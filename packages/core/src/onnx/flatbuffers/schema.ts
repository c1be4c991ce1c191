/** What a field of a table holds; scalars and elements of vectors by their size in bytes. */
export type FieldSchema =
  | { readonly kind: 'scalar'; readonly size: 1 | 2 | 4 | 8 }
  | { readonly kind: 'string' }
  | { readonly kind: 'strings' }
  | { readonly kind: 'vector'; readonly size: 1 | 2 | 4 | 8 }
  | { readonly kind: 'table'; readonly table: TableSchema }
  | { readonly kind: 'tables'; readonly table: TableSchema }
  /** One of several tables: the slot before it, a byte, says which, counted from 1. */
  | { readonly kind: 'union'; readonly tables: readonly TableSchema[] }
  /** Never read, and so never looked at. */
  | { readonly kind: 'unread' };

/** The fields of a table by name, in the order of their slots. */
export type TableSchema = Readonly<Record<string, FieldSchema>>;

/** The kinds of fields, for writing schemas down. */
export const field = {
  bool: { kind: 'scalar', size: 1 },
  uint8: { kind: 'scalar', size: 1 },
  int32: { kind: 'scalar', size: 4 },
  int64: { kind: 'scalar', size: 8 },
  float32: { kind: 'scalar', size: 4 },
  string: { kind: 'string' },
  strings: { kind: 'strings' },
  unread: { kind: 'unread' },
  vector: (size: 1 | 4 | 8): FieldSchema => ({ kind: 'vector', size }),
  table: (table: TableSchema): FieldSchema => ({ kind: 'table', table }),
  tables: (table: TableSchema): FieldSchema => ({ kind: 'tables', table }),
  union: (...tables: readonly TableSchema[]): FieldSchema => ({ kind: 'union', tables }),
} as const satisfies Readonly<Record<string, FieldSchema | ((...given: never[]) => FieldSchema)>>;
