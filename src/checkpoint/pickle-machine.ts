/**
 * The machine under pickle.ts: stack, memo, and one step for each opcode. Values hold each other by reference and nothing
 * walks them, so that neither depth, cycles nor "billion laughs" cost more than the pickle is long.
 * Source: Lib/pickle.py of CPython (protocols 0 to 5).
 */
import { CheckpointError, verbatim } from "../errors.ts";
import type { PickleOpcode } from "./pickle-opcodes.ts";
import { PickleDict, type PickleFailure, PickleGlobal, type PickleList, type PickleRules } from "./pickle-values.ts";
import { type ByteSource, damaged } from "./source.ts";

/** BERT-large with its optimiser's state takes a tenth; the emptiest objects cost 250 bytes, so this much costs 100 MB. */
const MAX_OBJECTS = 400_000;
/** Containers that are open at the same time; real files nest less than ten. */
const MAX_NESTING = 1000;
/** What makes no objects counts too: a file of nothing but marks would be walked for minutes. */
const MAX_OPCODES = 10 * MAX_OBJECTS;
const MAX_PROTOCOL = 5;

/** What a global that is not on the list, and what it makes, is while a pickle is only looked through. */
class Unknown {
  constructor(readonly name: string) {}
}

/** The stack, the memo and one step of the machine; with `note`, it goes on where it would refuse. */
export class PickleMachine {
  #stack: unknown[] = [];
  /** Where the open containers begin on the stack. */
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  #objects = 0;
  #opcodes = 0;
  #offset = 0;
  #opcode = "";

  constructor(
    readonly source: ByteSource,
    readonly rules: PickleRules,
    readonly note?: (what: string, offset: number) => void,
  ) {}

  /** The one value that must be left. */
  result(offset: number): unknown {
    if (this.#stack.length !== 1 || this.#marks.length !== 0) {
      throw damaged(this.source.name, offset, "one value left at the end of the pickle", `${this.#stack.length}`);
    }
    return this.#stack[0];
  }

  step({ name, offset, argument }: PickleOpcode): void {
    [this.#opcode, this.#offset] = [name, offset];
    this.#opcodes++;
    if (this.#opcodes > MAX_OPCODES) throw this.#damaged(`at most ${MAX_OPCODES} opcodes`, "more");
    switch (name) {
      case "PROTO":
        if ((argument as number) <= MAX_PROTOCOL) return;
        throw this.#damaged(`a pickle of protocol 0 to ${MAX_PROTOCOL}`, `${argument}`);
      case "FRAME":
        if ((argument as number) <= this.source.size - offset) return;
        throw this.#damaged("a frame within the file", `${argument} bytes`);
      case "MARK":
        if (this.#marks.length >= MAX_NESTING) throw this.#damaged(`at most ${MAX_NESTING} open containers`, "more");
        this.#marks.push(this.#stack.length);
        return;
      case "POP":
        // Python's POP takes a mark away too when nothing lies above it.
        if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
        else this.#pop();
        return;
      case "POP_MARK":
        this.#popMark();
        return;
      case "DUP":
        this.#push(this.#top());
        return;
      case "PUT":
      case "BINPUT":
      case "LONG_BINPUT":
        this.#remember(Number(argument));
        return;
      case "MEMOIZE":
        this.#remember(this.#memo.size);
        return;
      case "GET":
      case "BINGET":
      case "LONG_BINGET":
        this.#push(this.#recall(Number(argument)));
        return;
      default:
        if (!this.#literal(name, argument) && !this.#container(name)) this.#object(name, argument);
    }
  }

  #literal(name: string, argument: unknown): boolean {
    switch (name) {
      case "NONE":
        this.#push(null);
        return true;
      case "NEWTRUE":
      case "NEWFALSE":
        this.#push(name === "NEWTRUE");
        return true;
      case "FLOAT":
        this.#push(Number(argument));
        return true;
      case "STRING":
        this.#push(this.#quoted(argument as string));
        return true;
      case "INT":
      case "LONG":
      case "BININT":
      case "BININT1":
      case "BININT2":
      case "LONG1":
      case "LONG4":
      case "BINFLOAT":
      case "UNICODE":
      case "BINUNICODE":
      case "SHORT_BINUNICODE":
      case "BINUNICODE8":
      case "BINSTRING":
      case "SHORT_BINSTRING":
      case "BINBYTES":
      case "SHORT_BINBYTES":
      case "BINBYTES8":
        this.#push(argument);
        return true;
      default:
        return false;
    }
  }

  #container(name: string): boolean {
    switch (name) {
      case "EMPTY_DICT":
        this.#push(new PickleDict());
        return true;
      case "EMPTY_LIST":
      case "EMPTY_TUPLE":
      case "EMPTY_SET":
        this.#push([]);
        return true;
      case "LIST":
      case "TUPLE":
      case "FROZENSET":
        this.#push(this.#popMark());
        return true;
      case "TUPLE1":
      case "TUPLE2":
      case "TUPLE3": {
        const items = [];
        for (let i = Number(name.at(-1)); i > 0; i--) items.unshift(this.#pop());
        this.#push(items);
        return true;
      }
      case "DICT": {
        const dict = new PickleDict();
        this.#setItems(dict, this.#popMark());
        this.#push(dict);
        return true;
      }
      case "APPEND":
        this.#append([this.#pop()]);
        return true;
      case "APPENDS":
      case "ADDITEMS":
        this.#append(this.#popMark());
        return true;
      case "SETITEM": {
        const value = this.#pop();
        const key = this.#pop();
        this.#setItems(this.#top(), [key, value]);
        return true;
      }
      case "SETITEMS": {
        const items = this.#popMark();
        this.#setItems(this.#top(), items);
        return true;
      }
      default:
        return false;
    }
  }

  /** What a less careful reader would import, call, or give state. */
  #object(name: string, argument: unknown): void {
    switch (name) {
      case "GLOBAL": {
        const [module, member] = argument as [string, string];
        this.#push(this.#global(`${module}.${member}`));
        return;
      }
      case "STACK_GLOBAL": {
        const member = this.#pop();
        const module = this.#pop();
        const known = typeof module === "string" && typeof member === "string";
        this.#push(this.#global(known ? `${module}.${member}` : "(a name that the pickle makes itself)"));
        return;
      }
      case "REDUCE": {
        const args = this.#pop();
        this.#push(this.#call(this.#pop(), args));
        return;
      }
      case "BUILD": {
        const state = this.#pop();
        this.#build(this.#top(), state);
        return;
      }
      case "BINPERSID":
      case "PERSID": {
        const id = name === "PERSID" ? argument : this.#pop();
        if (this.rules.persistent === undefined) throw this.#damaged("no object outside of the pickle", name);
        this.#push(this.rules.persistent(id, this.#failure));
        return;
      }
      default:
        this.#instance(name, argument);
    }
  }

  /** Opcodes that make objects of a class, or take them from outside: weights have none. */
  #instance(name: string, argument: unknown): void {
    let type: unknown;
    if (name === "INST") {
      const [module, member] = argument as [string, string];
      this.#popMark();
      type = new Unknown(printable(`${module}.${member}`));
    } else if (name === "OBJ") {
      type = this.#popMark()[0];
    } else if (name === "NEWOBJ" || name === "NEWOBJ_EX") {
      for (let i = name === "NEWOBJ" ? 1 : 2; i > 0; i--) this.#pop();
      type = this.#pop();
    } else if (name.startsWith("EXT")) {
      type = new Unknown(`the extension ${argument}`);
    }
    const what = type instanceof Unknown || type instanceof PickleGlobal ? type.name : name;
    if (this.note === undefined) throw this.#forbidden(`${what} (opcode ${name})`);
    this.note(`makes an object of ${what} (opcode ${name})`, this.#offset);
    // READONLY_BUFFER leaves its object where it is.
    if (name !== "READONLY_BUFFER") this.#push(new Unknown(what));
  }

  #global(name: string): unknown {
    if (this.rules.globals.has(name)) return new PickleGlobal(name);
    const shown = printable(name);
    if (this.note === undefined) throw this.#forbidden(shown);
    this.note(`names ${shown}`, this.#offset);
    return new Unknown(shown);
  }

  #call(callee: unknown, args: unknown): unknown {
    if (this.note !== undefined) {
      if (callee instanceof PickleGlobal) return this.#called(callee.name);
      this.note(`calls ${callee instanceof Unknown ? callee.name : "what is no function"}`, this.#offset);
      return new Unknown("what a call gave");
    }
    const call = callee instanceof PickleGlobal ? this.rules.globals.get(callee.name) : undefined;
    if (call === undefined || call === null || !Array.isArray(args)) {
      throw this.#damaged(
        "a function of weights and its arguments",
        callee instanceof PickleGlobal ? callee.name : "other values",
      );
    }
    const made = call(args, this.#failure);
    // A list that is remembered can be given to call after call, and its items are made anew each time.
    if (made instanceof PickleDict) this.#count(made.entries.size);
    return made;
  }

  /** While looking through: an OrderedDict is filled afterwards, of all else only the name counts. */
  #called(name: string): unknown {
    return name === "collections.OrderedDict" ? new PickleDict() : new PickleGlobal(name);
  }

  #build(target: unknown, state: unknown): void {
    if (this.note !== undefined) {
      if (target instanceof Unknown) this.note(`gives state to an object of ${target.name} (BUILD)`, this.#offset);
    } else if (target instanceof PickleDict) {
      target.attributes = state;
    } else if (this.rules.build?.(target, state, this.#failure) !== true) {
      throw this.#damaged("state for an object that has one (BUILD)", "another object");
    }
  }

  #append(items: PickleList): void {
    const list = this.#top();
    if (Array.isArray(list)) for (const item of items) list.push(item);
    else if (this.note === undefined) throw this.#damaged("a list to append to", "another value");
  }

  #setItems(dict: unknown, items: PickleList): void {
    if (!(dict instanceof PickleDict)) {
      if (this.note !== undefined) return;
      throw this.#damaged("a dict to put items in", "another value");
    }
    if (this.note !== undefined) return;
    if (items.length % 2 !== 0) throw this.#damaged("keys with a value each", `${items.length} items`);
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i];
      if (dict.entries.has(key)) throw this.#damaged("each key once", `${typeof key === "string" ? key : "one"} twice`);
      dict.entries.set(key, items[i + 1]);
    }
  }

  #remember(index: number): void {
    if (this.#memo.size >= MAX_OBJECTS) throw this.#damaged(`at most ${MAX_OBJECTS} objects`, "more");
    this.#memo.set(index, this.#top());
  }

  #recall(index: number): unknown {
    if (this.#memo.has(index)) return this.#memo.get(index);
    if (this.note !== undefined) return new Unknown("an object that is not there");
    throw this.#damaged(`an object remembered as ${index}`, undefined);
  }

  #push(value: unknown): void {
    this.#count(1);
    this.#stack.push(value);
  }

  #count(objects: number): void {
    this.#objects += objects;
    if (this.#objects > MAX_OBJECTS) throw this.#damaged(`at most ${MAX_OBJECTS} objects`, "more");
  }

  /** The last value, which must lie above the last mark. */
  #pop(): unknown {
    if (this.#stack.length > (this.#marks.at(-1) ?? 0)) return this.#stack.pop();
    return this.#nothing();
  }

  #top(): unknown {
    if (this.#stack.length > (this.#marks.at(-1) ?? 0)) return this.#stack.at(-1);
    return this.#nothing();
  }

  #popMark(): PickleList {
    const mark = this.#marks.pop();
    if (mark !== undefined) return this.#stack.splice(mark);
    this.#nothing();
    return [];
  }

  #nothing(): unknown {
    if (this.note !== undefined) return new Unknown("an object that is not there");
    throw this.#damaged(`a value on the stack for ${this.#opcode}`, "an empty stack");
  }

  /** A text in quotes, as protocol 0 has those of Python 2; what needs escapes is no name of a weight. */
  #quoted(line: string): string {
    if (/^(?:'[^'\\]*'|"[^"\\]*")$/.test(line)) return line.slice(1, -1);
    if (this.note !== undefined) return line;
    throw this.#damaged("a text in quotes without escapes", line);
  }

  /** Remembers the byte: what a call made may fail later. */
  get #failure(): PickleFailure {
    const [offset, { name }] = [this.#offset, this.source];
    return (expected, got, hint) => {
      if (hint === undefined) return damaged(name, offset, expected, got);
      return new CheckpointError({
        where: `${name}: byte ${offset}`,
        expected,
        got: verbatim(got.slice(0, 200)),
        hint,
      });
    };
  }

  #damaged(expected: string, got: string | undefined): CheckpointError {
    return damaged(this.source.name, this.#offset, expected, got);
  }

  #forbidden(name: string): CheckpointError {
    return new CheckpointError({
      where: `${this.source.name}: byte ${this.#offset}`,
      expected: "tensors and plain values only",
      got: verbatim(name),
      hint:
        "The file asks for code that is not needed for weights, and zhbert runs none: `zhbert inspect` lists all of it. " +
        "Get safetensors instead, or save `model.state_dict()` alone where you trust the file.",
    });
  }
}

/** A name from the file as a terminal may show it: no control characters, not without end. */
function printable(name: string): string {
  const escaped = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return name.slice(0, 200).replace(/[^ -~]/g, escaped);
}
