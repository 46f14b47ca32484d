/** The functions of OpenVINO's C API that are used, declared for koffi; and what they answer when they fail. */
import { promisify } from "node:util";
import { RuntimeError, verbatim } from "../../errors.ts";
import type { DType } from "../../util/tensor.ts";
import { loadKoffi, NATIVE_STACK_BYTES } from "../koffi.ts";

/** An object of OpenVINO, by its address. */
export type Handle = bigint;

/** A function that is called on another thread; gives its status. */
type Deferred<Arguments extends readonly unknown[]> = (...args: Arguments) => Promise<number>;

/** OpenVINO's C API. Functions give 0, or the number of an error. Source: openvino/c/*.h of OpenVINO 2026.4. */
export interface OpenVinoApi {
  readonly createCore: (out: Handle[]) => number;
  readonly freeCore: (core: Handle) => void;
  readonly setProperty: (core: Handle, device: string, key: string, value: string) => number;
  /** A property as text; undefined where the device does not have it. */
  readonly getProperty: (core: Handle, device: string, key: string) => string | undefined;
  readonly readModel: Deferred<[Handle, Uint8Array, number, null, Handle[]]>;
  readonly compileModel: Deferred<[Handle, Handle, string, number, Handle[]]>;
  readonly freeModel: (model: Handle) => void;
  readonly freeCompiled: (compiled: Handle) => void;
  readonly createRequest: (compiled: Handle, out: Handle[]) => number;
  readonly freeRequest: (request: Handle) => void;
  readonly createTensor: (type: number, shape: CShape, data: NodeJS.ArrayBufferView, out: Handle[]) => number;
  readonly freeTensor: (tensor: Handle) => void;
  readonly setInput: (request: Handle, index: number, tensor: Handle) => number;
  readonly setOutput: (request: Handle, index: number, tensor: Handle) => number;
  readonly start: (request: Handle) => number;
  readonly wait: Deferred<[Handle]>;
  /** What went wrong last, on any thread. */
  readonly lastError: () => string;
  /** The address of an array's first element; it stays where it is. */
  readonly address: (data: NodeJS.ArrayBufferView) => bigint;
}

/** A shape as ov_shape_t. */
export interface CShape {
  readonly rank: number;
  readonly dims: readonly number[];
}

/** ov_element_type_e of each dtype. */
export const elementType: Readonly<Record<DType, number>> = {
  bool: 1,
  bfloat16: 2,
  float16: 3,
  float32: 4,
  float64: 5,
  int8: 7,
  int32: 9,
  int64: 10,
  uint8: 16,
};

/**
 * The build of the library at a path, such as `2026.4.1-22982-e213a147257`: known of versions that lack other functions too.
 * @throws {Error} the loader's own: a file that is missing, no library, or one that needs another that is missing.
 */
export function readBuild(path: string): string {
  const koffi = loadKoffi();
  const versionType = koffi.struct({ buildNumber: "const char *", description: "const char *" });
  const versionPointer = koffi.out(koffi.pointer(versionType));
  const getVersion = koffi.load(path).func("ov_get_openvino_version", "int", [versionPointer]);
  const found: { buildNumber?: string } = {};
  getVersion(found);
  return found.buildNumber ?? "";
}

/**
 * Loads the library at a path.
 * @throws {Error} the loader's own, as `readBuild`; or of a function that the library lacks.
 */
export function loadApi(path: string): OpenVinoApi {
  const koffi = loadKoffi();
  const stack = koffi.config().async_stack_size as number;
  if (stack < NATIVE_STACK_BYTES) {
    throw new RuntimeError({
      where: "openvino: koffi",
      expected: `stacks of ${NATIVE_STACK_BYTES} bytes for calls`,
      got: stack,
      hint: "another library in this process has loaded koffi first: load zhbert before it",
    });
  }
  const library = koffi.load(path);
  const func = (declaration: string) => library.func(declaration);
  const deferred = (declaration: string) => promisify(func(declaration).async) as Deferred<readonly unknown[]>;
  const shape = koffi.struct({ rank: "int64_t", dims: "int64_t *" });
  const getProperty = func(
    "int ov_core_get_property(void *core, const char *device, const char *key, _Out_ void **value)",
  );
  const lastError = func("void *ov_get_last_err_msg()");
  const freeText = func("void ov_free(void *text)");
  const setProperty = func("int ov_core_set_property(void *core, const char *device, ...)");
  const takeText = (text: Handle | null | undefined) => {
    if (!text) return "";
    const value: string = koffi.decode.string(text);
    freeText(text);
    return value;
  };
  const out = koffi.out(koffi.pointer("void *"));
  return {
    createCore: func("int ov_core_create(_Out_ void **core)"),
    freeCore: func("void ov_core_free(void *core)"),
    setProperty: (core, device, key, value) => setProperty(core, device, "str", key, "str", value),
    getProperty(core, device, key) {
      const value: (Handle | null)[] = [null];
      return getProperty(core, device, key, value) === 0 ? takeText(value[0]) : undefined;
    },
    readModel: deferred(
      "int ov_core_read_model_from_memory_buffer(void *core, const void *bytes, size_t size, void *weights, _Out_ void **model)",
    ),
    // Its optional arguments are properties; these are set on the core, since koffi calls no variadic function asynchronously.
    compileModel: deferred(
      "int ov_core_compile_model(void *core, void *model, const char *device, size_t count, _Out_ void **compiled)",
    ),
    freeModel: func("void ov_model_free(void *model)"),
    freeCompiled: func("void ov_compiled_model_free(void *compiled)"),
    createRequest: func("int ov_compiled_model_create_infer_request(void *compiled, _Out_ void **request)"),
    freeRequest: func("void ov_infer_request_free(void *request)"),
    createTensor: library.func("ov_tensor_create_from_host_ptr", "int", ["int", shape, "void *", out]),
    freeTensor: func("void ov_tensor_free(void *tensor)"),
    setInput: func("int ov_infer_request_set_input_tensor_by_index(void *request, size_t index, void *tensor)"),
    setOutput: func("int ov_infer_request_set_output_tensor_by_index(void *request, size_t index, void *tensor)"),
    start: func("int ov_infer_request_start_async(void *request)"),
    wait: deferred("int ov_infer_request_wait(void *request)"),
    lastError: () => takeText(lastError()),
    address: (data) => koffi.address(data),
  };
}

/** INVALID_C_PARAM of ov_status_e. */
const INVALID_PARAMETER = -14;

/**
 * @param hint - what to do; or what tells that of the library's own words.
 * @throws {RuntimeError} with the library's own words when a call did not succeed.
 */
export function expectOk(
  api: OpenVinoApi,
  status: number,
  where: string,
  expected: string,
  hint: string | ((message: string) => string) = "",
): void {
  if (status === 0) return;
  // Of such a failure the library keeps no message: the last one is of another call.
  const message = status === INVALID_PARAMETER ? "" : oneLine(api.lastError());
  const got = verbatim(message || `error ${status}`);
  throw new RuntimeError({
    where: `openvino: ${where}`,
    expected,
    got,
    hint: typeof hint === "string" ? hint : hint(message),
  });
}

/** Without the places in OpenVINO's own source files, which come first and tell users nothing. */
function oneLine(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  const own = /^(Exception from |Check '.*' failed at |\[ [A-Z_]+ \]$)/;
  const told = lines.filter((line) => line !== "" && !own.test(line));
  return (told.length > 0 ? told : lines).join(" ").replaceAll(/\s+/g, " ").trim();
}
