/** Options of the libraries, and what they are called on the command line. */
const flags: readonly (readonly [RegExp, string])[] = [
  [/lossInputNames: \['([^']*)'\]/g, '--loss-input $1'],
  [/\blossInputNames\b/g, '--loss-input'],
  [/\brequiresGrad\b/g, '--train'],
  [/\bfrozenParams\b/g, '--freeze'],
  [/\bbatchNorm: '(\w+)'/g, '--batch-norm $1'],
  [/\bcrossEntropy\(\{ axis: -1 \}\) or /g, ''],
  [/\bcross-entropy with ignoreIndex (-?\d+)/g, '--loss cross-entropy:ignore-index=$1'],
  [/(it is: |made of, as in |elsewhere, as in |Choose the columns: )(?=[^\s-])/g, '$1--input '],
  [/\(dimensions: \{ <name>: <size> \}\)/g, '(--dim <name>=<size>)'],
  [/\badditionalOutputNames\b/g, '--output'],
  [/, or (name the files: )?\{ checkpointState, trainModel, evalModel, optimizerModel \}/g, ''],
  [/Say which it is \(option format\)/g, 'The ending of its name tells which it is'],
  [/say so \(option classes\)/g, 'name it with --label'],
  [/\(option columns\)/g, '(--input and --label)'],
  [/\(option delimiter\)/g, '(--delimiter)'],
  [/\(option classes\)/g, '(--label)'],
  [/\(option header: false\)/g, '(--no-header)'],
  [/\(header: true\)/g, '(--header)'],
];

/** A message of the libraries in the words of the command line: who typed --freeze never said frozenParams. */
export function inFlags(text: string): string {
  return flags.reduce((message, [pattern, flag]) => message.replace(pattern, flag), text);
}
