/** For what no exporter writes. */
export const exportAgain =
  'Export the model again; onnx.checker.check_model says what else is wrong with it.';

/** The same of a file in ONNX Runtime's own format. */
export const convertAgain = 'Convert the .onnx file again, or give it instead.';

/** For what newer versions of ONNX may know. */
export const knownTypes =
  'Export the model with weights and values of floats, integers, bools or text.';
