import { defaultClientConditions, defineConfig } from 'vite';

/** What makes a page cross-origin isolated: only then may WebAssembly use threads. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** The packages are taken from source, and ONNX Runtime's loader beside its binary instead of inside our code: its
 *  threads start from that file. */
const conditions = [
  '@gradware/source',
  'onnxruntime-web-use-extern-wasm',
  ...defaultClientConditions,
];

/** So that one can see what is ours, and how large it is. */
const chunks = {
  codeSplitting: {
    groups: [
      { name: 'onnxruntime', test: /node_modules[\\/]onnxruntime/ },
      { name: 'gradware', test: /packages[\\/](core|data|plugins)[\\/]|node_modules/ },
    ],
  },
};

export default defineConfig({
  base: './',
  resolve: { conditions },
  assetsInclude: ['**/*.onnx', '**/*.npz'],
  server: { headers: isolation },
  preview: { headers: isolation },
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  worker: { format: 'es', rolldownOptions: { output: chunks } },
  build: { target: 'es2022', assetsInlineLimit: 0, chunkSizeWarningLimit: 2000 },
});
