/** The opset that graphs are upgraded to and written in: from 22 on, WebGPU and even the CPU lose kernels. */
export const opset = 21;

/** The IR version that goes with it. */
export const irVersion = 10;
