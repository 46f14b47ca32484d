/**
 * Whether a checkpoint has an MLM head, and whether that was ever trained.
 *
 * Files without one are the rule after fine-tuning, and programs fill the gap with random weights that are then saved:
 * fill-mask answers all the same, by chance. The head's small tensors tell.
 */
import type { LazyTensor, LazyTensors } from "../checkpoint/format.ts";
import { toFloat32 } from "../util/half.ts";
import type { BertConfig } from "./config.ts";
import { testFreshness } from "./fresh-matrix.ts";

/** What a look at an MLM head gives. */
export interface MlmHeadInspection {
  readonly state: "missing" | "untrained" | "trained";
  /** The reasons, with numbers, for people. */
  readonly evidence: readonly string[];
}

const HEAD = {
  matrix: "cls.predictions.transform.dense.weight",
  bias: "cls.predictions.transform.dense.bias",
  gain: "cls.predictions.transform.LayerNorm.weight",
  shift: "cls.predictions.transform.LayerNorm.bias",
  vocabularyBias: "cls.predictions.bias",
} as const;
/** Among the tensors only when it is not the word embeddings, to which BERT ties it. */
const UNTIED_DECODER = "cls.predictions.decoder.weight";

/** Of matrices whose config names none. */
const DEFAULT_STD = 0.02;

/**
 * Root mean square by which the small tensors have left 1 and 0, in units of `initializer_range`. Adam moves every
 * weight by about the same length: below a quarter the matrix's variance has grown by at most 8 %, which 24 x 24 entries
 * hide (z = 1.6), and the head knows nothing yet.
 */
const BARELY_MOVED = 0.25;
/** So many times that far a single entry of the matrix may have moved, among 10^6 with P < 2e-3 were it by chance. */
const FARTHEST_STEP = 6;
/**
 * Training that moves the LayerNorm weight by d (root mean square) multiplies the matrix's variance by 1 + d^2 at least:
 * so LAMB, which moves both by the same part of their norms; Adam moves the matrix further. Where that would give the
 * variance a z-score beyond this, twice the limit of `testFreshness`, and the matrix looks fresh all the same, it was
 * drawn anew after the rest was trained. For 768 x 768 entries d is 0.14, for 32 x 32 it is 0.66.
 */
const EXPECTED_Z = 10;

/**
 * Looks at the statistics of an MLM head; reads its five tensors and no others.
 *
 * Untrained is a head whose LayerNorm is exactly 1 and 0 (the first step of any training moves it); one whose matrix is
 * constant; and one whose matrix looks as drawn while the rest has hardly moved, or so far that a matrix trained with
 * it could not look so. Every other head counts as trained: random numbers of another kind than those that
 * programs start from (a test model) cannot be told from learned ones without data.
 * @param tensors - under Transformers' names (`NamedWeights.tensors`).
 * @throws {CheckpointError} when a tensor of the head cannot be read. @throws {ShapeError} when it holds integers.
 */
export function inspectMlmHead(
  tensors: LazyTensors,
  { initializerRange }: Pick<BertConfig, "initializerRange">,
): MlmHeadInspection {
  const absent = Object.values(HEAD).filter((name) => !tensors.has(name));
  if (absent.length > 0) return { state: "missing", evidence: [`no ${absent.join(", ")}`] };
  if (tensors.has(UNTIED_DECODER)) {
    return {
      state: "missing",
      evidence: [`${UNTIED_DECODER} is not the word embeddings, to which BERT's head is tied`],
    };
  }
  return judge(readHead(tensors), initializerRange > 0 ? initializerRange : DEFAULT_STD);
}

interface HeadValues {
  readonly matrix: Float32Array;
  readonly rows: number;
  readonly columns: number;
  /** Root mean squares of what the small tensors have left: 1 for the LayerNorm's weight, 0 for the others. */
  readonly gain: number;
  readonly shift: number;
  readonly bias: number;
  readonly vocabularyBias: number;
}

function readHead(tensors: LazyTensors): HeadValues {
  const values = (name: string) => toFloat32((tensors.get(name) as LazyTensor).read()).data;
  const [rows = 1, columns = 1] = (tensors.get(HEAD.matrix) as LazyTensor).shape;
  return {
    matrix: values(HEAD.matrix),
    rows,
    columns,
    gain: rootMeanSquare(values(HEAD.gain), 1),
    shift: rootMeanSquare(values(HEAD.shift), 0),
    bias: rootMeanSquare(values(HEAD.bias), 0),
    vocabularyBias: rootMeanSquare(values(HEAD.vocabularyBias), 0),
  };
}

function judge({ matrix, rows, columns, gain, shift, bias, vocabularyBias }: HeadValues, std: number) {
  const isAtStart = gain === 0 && shift === 0;
  const moved = Math.max(gain, shift, bias) / std;
  const isBarelyMoved = moved < BARELY_MOVED;
  const isRedrawn = gain ** 2 > EXPECTED_Z * Math.sqrt(2 / matrix.length);
  const freshness = matrix.every((entry) => entry === matrix[0])
    ? { isFresh: true, evidence: `matrix is ${matrix[0]} everywhere` }
    : testFreshness(matrix, rows, columns, std, isBarelyMoved ? FARTHEST_STEP * moved * std : 0);
  const isUntrained = isAtStart || (freshness.isFresh && (isBarelyMoved || isRedrawn));
  const evidence = [
    isAtStart
      ? "LayerNorm is exactly 1 and 0, as before the first step"
      : `LayerNorm has left 1 by ${shown(gain)} and 0 by ${shown(shift)} (root mean square)`,
    bias === 0 ? "bias is 0 everywhere" : `bias has left 0 by ${shown(bias)}`,
    freshness.evidence,
    vocabularyBias === 0
      ? "bias of the vocabulary is 0 everywhere"
      : `bias of the vocabulary: ${shown(vocabularyBias)}`,
  ];
  return { state: isUntrained ? "untrained" : "trained", evidence } as const;
}

/**
 * What to tell a user who asks such a model to fill masks; undefined where the head is trained.
 * @param where - the model, as the user named it.
 */
export function mlmHeadWarning({ state, evidence }: MlmHeadInspection, where: string): string | undefined {
  if (state === "trained") return undefined;
  const fact =
    state === "missing"
      ? "has no MLM head"
      : "has an MLM head that was never trained, so that it fills masks by chance";
  return `${where} ${fact} (${evidence.join("; ")}); \`zhbert mlm-head ${where} corpus.txt\` trains one with the encoder frozen`;
}

function rootMeanSquare(data: Float32Array, from: number): number {
  let sum = 0;
  for (const value of data) sum += (value - from) ** 2;
  return Math.sqrt(sum / Math.max(1, data.length));
}

function shown(value: number): string {
  return value.toPrecision(2);
}
