// Generates the reader and writer of ONNX messages from src/onnx/onnx.proto.
// They go to src (for the type checker and the tests) and to dist, where tsc copies no .js and .d.ts files.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pbjs from 'protobufjs-cli/pbjs.js';
import pbts from 'protobufjs-cli/pbts.js';

const root = new URL('../', import.meta.url);
const path = (relative) => fileURLToPath(new URL(relative, root));
const schema = path('src/onnx/onnx.proto');
const draft = path('src/onnx/generated/draft.js');

const call = (main, args) =>
  new Promise((resolve, reject) => {
    main(args, (error, output) => (error ? reject(error) : resolve(output)));
  });

const omit = ['create', 'verify', 'convert', 'delimited', 'service', 'typeurl'];
const pbjsArguments = [
  ...['--target', 'static-module', '--wrap', 'esm', '--root', 'gradware'],
  ...omit.map((part) => `--no-${part}`),
];

await mkdir(path('src/onnx/generated/'), { recursive: true });
await call(pbjs.main, [...pbjsArguments, '--out', draft, schema]);
const declared = await call(pbts.main, [draft]);
await rm(draft);

// Values of 64 bits are read as Long objects; what we use of them is said here, so nobody needs the package's types.
const longImport = /import Long = require\("long"\);/;
if (!longImport.test(declared))
  throw new Error('protobufjs-cli no longer imports Long as expected');
const declarations = declared.replace(
  longImport,
  'export interface Long {\n    readonly low: number;\n    readonly high: number;\n}',
);
const code = await call(pbjs.main, [...pbjsArguments, '--no-comments', schema]);

for (const folder of ['src/onnx/generated/', 'dist/onnx/generated/']) {
  await mkdir(path(folder), { recursive: true });
  await writeFile(path(`${folder}messages.js`), code);
  await writeFile(path(`${folder}messages.d.ts`), declarations);
}
