/** The bins of the histogram of gradient magnitudes: a fifth of a power of ten each, from 1e-10 to 1e2. */
export const lowestExponent = -10;
export const highestExponent = 2;
export const binsPerDecade = 5;
export const binCount = (highestExponent - lowestExponent) * binsPerDecade;
