/** What the files of an artifact set are called, by the role that they have in a session. */
const fileNames = {
  trainModel: 'training_model.onnx',
  evalModel: 'eval_model.onnx',
  optimizerModel: 'optimizer_model.onnx',
  checkpointState: 'checkpoint',
  nominalCheckpointState: 'nominal_checkpoint',
} as const;

/** The files of an artifact set by the names that ORT's tool gives them, a prefix in front. */
export function namedFiles(
  bytes: { readonly [role in keyof typeof fileNames]?: Uint8Array },
  prefix: string,
): ReadonlyMap<string, Uint8Array> {
  return new Map(
    Object.entries(bytes).map(([role, content]) => [
      `${prefix}${fileNames[role as keyof typeof fileNames]}`,
      content,
    ]),
  );
}
