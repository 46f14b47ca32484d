/**
 * What config.json says of a model whose weights are integers: the field `quantization_config` of Transformers, in the form
 * `int-quantized` of compressed-tensors.
 *
 * Source: QuantizationConfig, QuantizationScheme and QuantizationArgs of vllm-project/compressed-tensors.
 */

/** How the inputs of linear layers are rounded: on scales that are stored, on those of the moment, or not at all. */
export type ActivationRounding = "static" | "dynamic" | "none";

/** How a model is quantised. */
export interface QuantizationConfig {
  readonly activations: ActivationRounding;
  /** Linear layers that compute in float, by the names of their modules. */
  readonly ignore: readonly string[];
}

/** Guards against hostile files: a model of 1024 layers has fewer linear layers. */
const MAX_MODULES = 1 << 14;
const METHOD = "compressed-tensors";
const FORMAT = "int-quantized";
/** The target of a group that holds every linear layer. */
const LINEAR = "Linear";

const WEIGHTS = { num_bits: 8, type: "int", symmetric: true, strategy: "channel", dynamic: false } as const;
const ACTIVATIONS = { num_bits: 8, type: "int", symmetric: false, strategy: "tensor" } as const;

/** The field as it is written. */
export function quantizationJson({ activations, ignore }: QuantizationConfig): Record<string, unknown> {
  const inputs = activations === "none" ? null : { ...ACTIVATIONS, dynamic: activations === "dynamic" };
  return {
    quant_method: METHOD,
    format: FORMAT,
    quantization_status: "compressed",
    ignore: [...ignore],
    config_groups: {
      group_0: { targets: [LINEAR], weights: WEIGHTS, input_activations: inputs, output_activations: null },
      group_1: {
        targets: ["re:.*word_embeddings$"],
        weights: WEIGHTS,
        input_activations: null,
        output_activations: null,
      },
    },
  };
}

/**
 * Reads the field.
 * @param json - as JSON, from anywhere.
 * @returns undefined where there is none, or one of another way to quantise: such weights are refused where they are read.
 */
export function parseQuantization(json: unknown): QuantizationConfig | undefined {
  const { quant_method, format, config_groups, ignore = [] } = fieldsOf(json);
  if (quant_method !== METHOD || format !== FORMAT || !isListOfNames(ignore)) return undefined;
  const groups = Object.values(fieldsOf(config_groups)).map(fieldsOf);
  const linear = groups.find(({ targets }) => Array.isArray(targets) && targets.includes(LINEAR));
  if (linear === undefined || !agrees(linear["weights"], WEIGHTS)) return undefined;
  const inputs = linear["input_activations"] ?? undefined;
  if (inputs === undefined) return { activations: "none", ignore };
  if (!agrees(inputs, ACTIVATIONS)) return undefined;
  return { activations: fieldsOf(inputs)["dynamic"] === true ? "dynamic" : "static", ignore };
}

function fieldsOf(json: unknown): Record<string, unknown> {
  return typeof json === "object" && json !== null ? (json as Record<string, unknown>) : {};
}

function isListOfNames(json: unknown): json is readonly string[] {
  return Array.isArray(json) && json.length <= MAX_MODULES && json.every((name) => typeof name === "string");
}

/** Whether an object has all these values. */
function agrees(json: unknown, values: Readonly<Record<string, unknown>>): boolean {
  const fields = fieldsOf(json);
  return Object.entries(values).every(([name, value]) => fields[name] === value);
}
