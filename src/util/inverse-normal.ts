/** The inverse of the normal distribution function from basic IEEE 754 operations alone, so that its bits are the same everywhere. */

// Coefficients of Wichura's algorithm AS 241 (PPND16), highest power first: numerator and denominator of each region.
const CENTRE = {
  top: [
    2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
    133.14166789178438, 3.3871328727963665,
  ],
  bottom: [
    5226.495278852546, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
    42.31333070160091, 1,
  ],
};
const MIDDLE = {
  top: [
    0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
    5.769497221460691, 4.630337846156546, 1.4234371107496835,
  ],
  bottom: [
    1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
    1.6763848301838038, 2.053191626637759, 1,
  ],
};
const TAIL = {
  top: [
    2.0103343992922881e-7, 2.7115555687434876e-5, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
    1.7848265399172913, 5.463784911164114, 6.657904643501103,
  ],
  bottom: [
    2.0442631033899397e-15, 1.421511758316446e-7, 1.8463183175100548e-5, 0.0007868691311456133, 0.014875361290850615,
    0.1369298809227358, 0.599832206555888, 1,
  ],
};

/**
 * The standard normal value below which a share `p` of the distribution lies.
 * @param p - in (0, 1). @returns a value with a relative error of about 1e-16.
 * Source: Wichura 1988, algorithm AS 241, PPND16.
 */
export function inverseNormal(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(CENTRE, 0.180625 - q * q);
  const r = Math.sqrt(-naturalLogarithm(q < 0 ? p : 1 - p));
  const value = r <= 5 ? ratio(MIDDLE, r - 1.6) : ratio(TAIL, r - 5);
  return q < 0 ? -value : value;
}

function ratio({ top, bottom }: { top: number[]; bottom: number[] }, x: number): number {
  return horner(top, x) / horner(bottom, x);
}

function horner(coefficients: number[], x: number): number {
  let sum = 0;
  for (let i = 0; i < 8; i++) sum = sum * x + (coefficients[i] as number);
  return sum;
}

const SQRT_HALF = Math.SQRT1_2;
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

/** ln x of a positive normal number; Math.log may differ in the last bit from one JavaScript engine to another. */
function naturalLogarithm(x: number): number {
  let mantissa = x;
  let exponent = 0;
  for (; mantissa < SQRT_HALF; mantissa *= 2) exponent--;
  // ln m = 2 artanh(s), s = (m - 1) / (m + 1), |s| <= 0.1716; 11 terms leave less than 1e-17.
  const s = (mantissa - 1) / (mantissa + 1);
  const square = s * s;
  let series = 0;
  for (let k = 21; k >= 3; k -= 2) series = (series + 1 / k) * square;
  return exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * (s + s * series));
}
