import $protobuf from 'protobufjs/minimal.js';

/** What exporters note of a node or a value, by key. */
export type Notes = ReadonlyMap<string, string>;

export interface ModelNotes {
  /** By the first output of the node. */
  readonly nodes: ReadonlyMap<string, Notes>;
  /** By the name of the value. */
  readonly values: ReadonlyMap<string, Notes>;
}

type Fields = Readonly<Record<number, (reader: $protobuf.Reader) => void>>;

function readFields(reader: $protobuf.Reader, end: number, fields: Fields): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    const read = (tag & 7) === 2 ? fields[tag >>> 3] : undefined;
    if (read === undefined) reader.skipType(tag & 7);
    else read(reader);
  }
}

function readMessage(reader: $protobuf.Reader, fields: Fields): void {
  const length = reader.uint32();
  readFields(reader, reader.pos + length, fields);
}

/** The metadata_props of the nodes and values of a model's own graph: `decodeOnnxModel` leaves them out, as only few
 *  readers need them, and they are longer than the graph.
 *  @param bytes a model that `decodeOnnxModel` has read */
export function readNotes(bytes: Uint8Array): ModelNotes {
  const [nodes, values] = [new Map<string, Notes>(), new Map<string, Notes>()];
  const readNote = (notes: Map<string, string>) => (reader: $protobuf.Reader) => {
    let [key, value] = ['', ''];
    readMessage(reader, {
      1: () => {
        key = reader.string();
      },
      2: () => {
        value = reader.string();
      },
    });
    notes.set(key, value);
  };
  const readInto =
    (found: Map<string, Notes>, nameField: number, notesField: number) =>
    (reader: $protobuf.Reader) => {
      const notes = new Map<string, string>();
      let name: string | undefined;
      readMessage(reader, {
        [nameField]: () => {
          const text = reader.string();
          name ??= text;
        },
        [notesField]: readNote(notes),
      });
      if (name !== undefined && notes.size > 0) found.set(name, notes);
    };
  // A plain view: a Node Buffer has strings of its own.
  const reader = $protobuf.Reader.create(
    new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  );
  readFields(reader, reader.len, {
    7: () => readMessage(reader, { 1: readInto(nodes, 2, 9), 13: readInto(values, 1, 4) }),
  });
  return { nodes, values };
}
