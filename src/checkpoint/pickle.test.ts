/** Pickles by hand, opcode for opcode: what is plain is read, what would run code is refused and listed. */
import { expect, test } from "vitest";
import { CheckpointError } from "../errors.ts";
import { readPickle, scanPickle } from "./pickle.ts";
import { PickleBytes, PickleText } from "./pickle-opcodes.ts";
import { type PickleDict, PickleGlobal, type PickleRules } from "./pickle-values.ts";
import { PickleWriter } from "./pickle-writer.ts";
import { bytesSource } from "./source.ts";
import { orderedDict } from "./state-dict.ts";

/** Opcodes and their arguments, each character one byte. */
const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const source = (text: string) => bytesSource("f.bin", bytes(text));

const rules: PickleRules = {
  globals: new Map<string, ((args: unknown[]) => unknown) | null>([
    ["collections.OrderedDict", orderedDict as (args: unknown[]) => unknown],
    ["torch.Size", ([sizes]) => sizes],
    ["torch.FloatStorage", null],
  ]),
  persistent: (id) => ["outside", id],
};
const load = (text: string) => readPickle(source(text), 0, rules).value;
const scan = (text: string) => scanPickle(source(text), 0, rules).findings;

test.each<[string, string, unknown]>([
  ["None", "N.", null],
  ["booleans of every protocol", "(I00\nI01\n\x88\x89l.", [false, true, true, false]],
  [
    "integers of every width",
    "(K\xffM\xff\xffJ\xfe\xff\xff\xff\x8a\x02\x00\xff\x8a\x00I-12\nL7L\nl.",
    [255, 65535, -2, -256, 0, -12, 7],
  ],
  ["integers beyond 2^53", "\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", 0x1950a86a20f9469cfc6cn],
  ["fractions", "(G\x3f\xf8\x00\x00\x00\x00\x00\x00F2.5\nl.", [1.5, 2.5]],
  [
    "texts",
    "(X\x02\x00\x00\x00\xc3\xa9\x8c\x01aVb\nS'c'\nU\x01dT\x01\x00\x00\x00el.",
    ["\u00e9", "a", "b", "c", "d", "e"],
  ],
  ["tuples", "(K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87)(K\x01tl.", [[1], [1, 2], [1, 2, 3], [], [1]]],
  ["lists and sets", "(]K\x01a](K\x01K\x02e\x8f(K\x03\x90(K\x04\x91l.", [[1], [1, 2], [3], [4]]],
  [
    "the memo of every protocol",
    "(Np0\nK\x01q\x01K\x02r\x02\x00\x00\x00g0\nh\x01j\x02\x00\x00\x00l.",
    [null, 1, 2, null, 1, 2],
  ],
  ["MEMOIZE counts what is remembered", "(K\x07\x94K\x08\x94h\x00h\x01l.", [7, 8, 7, 8]],
  ["frames, protocol marks, POP and DUP", "\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00(K\x012N0l.", [1, 1]],
  [
    "what lies outside",
    "(K\x05QPkey\nl.",
    [
      ["outside", 5],
      ["outside", "key"],
    ],
  ],
  ["calls of the list", "ctorch\nSize\n((K\x02K\x03ttR.", [2, 3]],
  ["globals that are only named", "\x8c\x05torch\x8c\x0cFloatStorage\x93.", new PickleGlobal("torch.FloatStorage")],
])("reads %s", (_, text, value) => {
  expect(load(text)).toEqual(value);
});

test("reads dicts and OrderedDicts with attributes", () => {
  const dict = load(
    "(ccollections\nOrderedDict\n)RU\x01aK\x01s(U\x01bK\x02uN}U\x04metaK\x03s\x86b(U\x01cK\x04dl.",
  ) as PickleDict[];
  expect([...dict[0]!.entries]).toEqual([
    ["a", 1],
    ["b", 2],
  ]);
  expect([...dict[1]!.entries]).toEqual([["c", 4]]);
});

test("long texts and byte strings stay in the file", () => {
  const long = "x".repeat(5000);
  const [text, data] = load(`(X\x88\x13\x00\x00${long}B\x88\x13\x00\x00${long}l.`) as [PickleText, PickleBytes];
  expect(text).toBeInstanceOf(PickleText);
  expect([text.begin, text.end]).toEqual([6, 5006]);
  expect(data).toBeInstanceOf(PickleBytes);
  expect(data.end - data.begin).toBe(5000);
});

test("pickles one after the other, from any byte", () => {
  const file = source("..K\x05.N.");
  expect(readPickle(file, 2, rules)).toEqual({ value: 5, end: 5 });
  expect(readPickle(file, 5, rules)).toEqual({ value: null, end: 7 });
});

const ATTACKS: readonly [string, string, string][] = [
  ["GLOBAL and REDUCE", "\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.", "os.system"],
  ["GLOBAL of posix", "cposix\nsystem\n(S'id'\ntR.", "posix.system"],
  ["GLOBAL of builtins", "\x80\x02c__builtin__\neval\nX\x01\x00\x00\x001\x85R.", "__builtin__.eval"],
  ["STACK_GLOBAL", "\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"],
  ["STACK_GLOBAL of remembered names", "\x80\x04\x8c\x02os\x94\x8c\x06system\x9400h\x00h\x01\x93)R.", "os.system"],
  ["STACK_GLOBAL of doubled names", "\x80\x04\x8c\x02os2\x93.", "os.os"],
  ["INST", "(S'id'\nios\nsystem\n.", "os.system"],
  ["OBJ", "(cos\nsystem\nS'id'\no.", "os.system"],
  ["NEWOBJ", "\x80\x02csubprocess\nPopen\n)\x81.", "subprocess.Popen"],
  ["NEWOBJ_EX", "\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93)}\x92.", "subprocess.Popen"],
  ["EXT1", "\x80\x02\x82\x07)R.", "the extension 7"],
  ["EXT2", "\x80\x02\x83\x07\x01)R.", "the extension 263"],
  ["EXT4", "\x80\x02\x84\x07\x00\x00\x00)R.", "the extension 7"],
  ["a name with escapes", "V\\u006fs\nVsystem\n\x93)R.", "\\u006fs.system"],
  ["BUILD of a foreign object", "\x80\x02cmod\nThing\n)R}X\x01\x00\x00\x00aK\x01sb.", "mod.Thing"],
  ["a name that a class of ours has", "c__proto__\nconstructor\n)R.", "__proto__.constructor"],
];

test.each(ATTACKS)("refuses %s, by name and byte", (_, text, name) => {
  expect(() => load(text)).toThrow(CheckpointError);
  expect(() => load(text)).toThrow(/^f\.bin: byte \d+: expected tensors and plain values only, got /);
  expect(() => load(text)).toThrow(name);
});

test.each(ATTACKS)("lists %s", (_, text, name) => {
  const found = scan(text);
  expect(found.length).toBeGreaterThan(0);
  expect(found.join("\n")).toContain(name);
});

test("lists each danger once with its byte, and nothing of what is on the list", () => {
  expect(scan("(cos\nsystem\n)Rcos\nsystem\n)Rl.")).toEqual(["byte 1: names os.system", "byte 13: calls os.system"]);
  expect(scan("ctorch\nSize\n((K\x02K\x03ttR.")).toEqual([]);
  expect(scan("ccollections\nOrderedDict\n)RU\x01aK\x01s}b.")).toEqual([]);
});

test("shows names without control characters, which a terminal would obey", () => {
  expect(scan("cos\nsys\u001b[2Jtem\n.")[0]).toBe("byte 0: names os.sys\\u001b[2Jtem");
  expect(() => load("cos\nsys\u001b[2Jtem\n.")).toThrow("os.sys\\u001b[2Jtem");
});

test("lists what a damaged or hiding pickle holds", () => {
  // Each would make a reader that models the stack too strictly give up before the danger.
  for (const prefix of ["0", "1", "a", "e", "s", "u", "R", "b", "h\x63", "\x93", "o", "\x81", "(((t", "K\x01K\x02s"]) {
    expect(scan(`${prefix}cos\nsystem\n)R.`).join("\n")).toContain("calls os.system");
  }
  expect(scan("cos\nsystem\n\xfe").join("\n")).toMatch(/names os\.system[\s\S]*not looked through further/);
  expect(scan("(".repeat(2000)).join("\n")).toContain("not looked through further");
});

test.each<[string, string, string]>([
  ["an unknown opcode", "N\xfe.", "byte 1: expected an opcode of pickle, got 0xfe"],
  ["an empty stack", "a.", "byte 0: expected a value on the stack for APPEND"],
  ["a mark that is missing", "N1.", "expected a value on the stack for POP_MARK"],
  ["a value below a mark", "K\x01(K\x02\x86.", "expected a value on the stack for TUPLE2"],
  ["an object that was not remembered", "h\x05.", "expected an object remembered as 5"],
  ["two values at the end", "NN.", "byte 2: expected one value left at the end of the pickle, got 2"],
  ["no value at the end", ".", "expected one value left"],
  ["a protocol of the future", "\x80\x06N.", "expected a pickle of protocol 0 to 5, got 6"],
  ["a frame beyond the file", "\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xffN.", "expected a frame within the file"],
  ["a text beyond the file", "X\xff\xff\xff\xffa.", "byte 0: expected 4294967295 bytes at byte 5, got 2"],
  ["bytes beyond the file", "\x8e\xff\xff\xff\xff\xff\xff\xff\x7fa.", "bytes at byte 9, got 2"],
  ["an integer of a megabyte", "\x8b\x00\x00\x10\x00.", "expected an integer of at most 32 bytes"],
  ["a decimal that is none", "I1e9\n.", "expected an integer in digits"],
  ["a line without end", "I1", "expected a line of at most"],
  ["a text that is no UTF-8", "U\x01aX\x01\x00\x00\x00\xff\x86.", "byte 8: expected a text in UTF-8"],
  ["a key twice", "(U\x01aK\x01U\x01aK\x02d.", "expected each key once, got a twice"],
  ["a key without value", "(U\x01ad.", "expected keys with a value each"],
  ["items for no dict", "N(K\x01K\x02u.", "expected a dict to put items in"],
  ["an append to no list", "NK\x01a.", "expected a list to append to"],
  ["a call of no function", "N)R.", "expected a function of weights"],
  ["a call of what is only named", "ctorch\nFloatStorage\n)R.", "got torch.FloatStorage"],
  ["arguments that are no tuple", "ctorch\nSize\nNR.", "expected a function of weights and its arguments"],
  ["state for a number", "K\x01}b.", "expected state for an object that has one"],
  ["out-of-band buffers", "\x97.", "got NEXT_BUFFER"],
])("refuses %s", (_, text, message) => {
  expect(() => load(text)).toThrow(CheckpointError);
  expect(() => load(text)).toThrow(message);
});

test("refuses what lies outside where a format has no such thing", () => {
  const { persistent, ...plain } = rules;
  expect(persistent).toBeDefined();
  expect(() => readPickle(source("K\x01Q."), 0, plain)).toThrow("expected no object outside of the pickle");
});

test("lists nested in each other by the memo cost what the pickle is long", () => {
  // "Billion laughs": each list holds the one before ten times; 10^300 elements if they were written out.
  const laughs = `(]q\x00${"](h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00h\x00eq\x00".repeat(300)}l.`;
  expect(load(laughs)).toHaveLength(301);
  const doubled = `]${"2\x86".repeat(10_000)}.`;
  expect(load(doubled)).toHaveLength(2);
});

test("cycles and deep nesting are read, since nothing walks them", () => {
  const cycle = load("]q\x00h\x00a.") as unknown[];
  expect(cycle[0]).toBe(cycle);
  expect(load(`${"]".repeat(50_000)}${"a".repeat(49_999)}.`)).toHaveLength(1);
});

test("open containers and objects are limited", () => {
  expect(() => load("(".repeat(2000))).toThrow("expected at most 1000 open containers");
  expect(() => load(`${"N".repeat(400_001)}`)).toThrow("expected at most 400000 objects");
  const text = bytes(`X\x00\x10\x00\x00${"x".repeat(4096)}0`);
  const texts = new Uint8Array(text.length * (2 ** 14 + 1));
  for (let at = 0; at < texts.length; at += text.length) texts.set(text, at);
  expect(() => readPickle(bytesSource("f", texts), 0, rules)).toThrow("expected at most 67108864 bytes of texts");
  const marks = bytesSource(
    "f",
    new Uint8Array(8_000_002).map((_, i) => (i % 2 === 0 ? 0x28 : 0x31)),
  );
  expect(() => readPickle(marks, 0, rules)).toThrow("expected at most 4000000 opcodes");
});

test("refuses a pickle cut at any byte", () => {
  const text =
    "\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00actorch\nSize\n((K\x02M\x03\x01ttRI5\nJ\x01\x00\x00\x00u.";
  expect([...(load(text) as PickleDict).entries]).toEqual([
    ["a", [2, 259]],
    [5, 1],
  ]);
  for (let length = 0; length < text.length; length++) {
    expect(() => load(text.slice(0, length))).toThrow(CheckpointError);
  }
});

test.each([2, 4] as const)("what is written in protocol %s reads back", (protocol) => {
  const writer = new PickleWriter(protocol).op("MARK");
  const numbers = [0, 255, 256, 65535, 65536, 2 ** 31 - 1, 2 ** 31, 2 ** 40, -1, -(2 ** 40)];
  for (const number of numbers) writer.integer(number);
  writer.text("\u6743\u91cd").global("torch", "FloatStorage").tuple([]).tuple([3, 4]).op("NONE").op("NEWTRUE");
  for (const length of [3, 300]) writer.bytes(new Uint8Array(length).fill(7));
  const file = bytesSource("f", writer.op("TUPLE").finish());
  const value = readPickle(file, 0, rules).value as unknown[];
  expect(value.slice(0, numbers.length)).toEqual(numbers);
  expect(value.slice(numbers.length, -2)).toEqual([
    "\u6743\u91cd",
    new PickleGlobal("torch.FloatStorage"),
    [],
    [3, 4],
    null,
    true,
  ]);
  expect((value.slice(-2) as PickleBytes[]).map(({ begin, end }) => file.slice(begin, end).length)).toEqual([3, 300]);
});

test("a list that is remembered and made into dicts again and again counts each time", () => {
  // 20,000 pairs in one list; 100 calls would make 2,000,000 entries of 300 KB.
  const int32 = (i: number) => String.fromCharCode(i & 0xff, i >> 8, 0, 0);
  const pairs = Array.from({ length: 20_000 }, (_, i) => `J${int32(i)}N\x86`).join("");
  const calls = (count: number) =>
    `ccollections\nOrderedDict\nq\x00](${pairs}eq\x0100(${"h\x00h\x01\x85R".repeat(count)}l.`;
  expect(load(calls(2))).toHaveLength(2);
  expect(() => load(calls(100))).toThrow(/at most 400000 objects/);
});
