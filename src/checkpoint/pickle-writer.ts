/** Pickles of plain values for Python, of protocol 2 or 4; without a memo, so that what is written twice is two objects. */

const codes = {
  MARK: 0x28,
  STOP: 0x2e,
  REDUCE: 0x52,
  BUILD: 0x62,
  BINPERSID: 0x51,
  EMPTY_DICT: 0x7d,
  SETITEMS: 0x75,
  TUPLE: 0x74,
  NONE: 0x4e,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  STACK_GLOBAL: 0x93,
} as const;

/** Writes opcodes one after the other; each method returns the writer. */
export class PickleWriter {
  #bytes = new Uint8Array(1024);
  #length = 0;

  constructor(readonly protocol: 2 | 4) {
    this.#put(0x80, protocol);
  }

  /** An opcode without argument. */
  op(name: keyof typeof codes): this {
    return this.#put(codes[name]);
  }

  /** A module's member. */
  global(module: string, name: string): this {
    if (this.protocol === 4) return this.text(module).text(name).op("STACK_GLOBAL");
    return this.#put(0x63, ...new TextEncoder().encode(`${module}\n${name}\n`));
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    return this.#put(0x58).#uint(bytes.length, 4).#append(bytes);
  }

  /** A whole number up to 2^53. */
  integer(value: number): this {
    if (value >= 0 && value < 0x100) return this.#put(0x4b, value);
    if (value >= 0 && value < 0x10000) return this.#put(0x4d).#uint(value, 2);
    if (Math.abs(value) < 0x80000000) return this.#put(0x4a).#uint(value, 4);
    return this.#put(0x8a, 8).#uint(value, 8);
  }

  /** A tuple of whole numbers. */
  tuple(values: readonly number[]): this {
    if (values.length === 0) return this.#put(0x29);
    this.op("MARK");
    for (const value of values) this.integer(value);
    return this.op("TUPLE");
  }

  /** A short byte string. */
  bytes(value: Uint8Array): this {
    return this.bytesHeader(value.length).#append(value);
  }

  /** The beginning of a byte string, which the caller puts after what has been written so far. */
  bytesHeader(length: number): this {
    if (length < 0x100) return this.#put(0x43, length);
    if (length <= 0xffffffff) return this.#put(0x42).#uint(length, 4);
    return this.#put(0x8e).#uint(length, 8);
  }

  /** What has been written since the last call. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  /** Ends the pickle. @returns what has been written since the last `take`. */
  finish(): Uint8Array {
    return this.op("STOP").take();
  }

  #put(...bytes: number[]): this {
    return this.#append(Uint8Array.from(bytes));
  }

  #uint(value: number, width: 2 | 4 | 8): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
    return this.#append(bytes.subarray(0, width));
  }

  #append(bytes: Uint8Array): this {
    if (this.#length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(2 * (this.#length + bytes.length));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }
}
