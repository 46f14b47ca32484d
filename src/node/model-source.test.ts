/** Where models lie on the disk: folders of too many files, zip downloads whose entries are inflated. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { zipChunks } from "../checkpoint/zip-writer.ts";
import { FileError } from "../errors.ts";
import { crc32 } from "../util/crc32.ts";
import { folderFiles, openModelSource } from "./model-source.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-source-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test("a folder of very many files is listed up to a limit; a file beyond it is an error that says so", async () => {
  for (let i = 0; i < 10_000; i++) writeFileSync(join(folder, `${10_000 + i}.txt`), "");
  mkdirSync(join(folder, "more"));
  writeFileSync(join(folder, "more", "a.bin"), "");
  writeFileSync(join(folder, "z.bin"), "");
  expect((await folderFiles(folder)).paths).toHaveLength(10_000);
  await expect(openModelSource(join(folder, "z.bin"))).rejects.toThrow(FileError);
  await expect(openModelSource(join(folder, "z.bin"))).rejects.toThrow("in a folder of at most 10000 files");
  expect((await openModelSource(join(folder, "10003.txt"))).checkpoint).toBe("10003.txt");
});

test.each(["out/model.safetensors", "out/bert_model.ckpt", "downloads/wwm.zip", "out/model.ckpt-2000.index"])(
  "%s that is not there is a missing file; no hub is asked for it",
  async (name) => {
    const asked = openModelSource(name, { mirror: "http://127.0.0.1:1", patience: { attempts: 1 } });
    await expect(asked).rejects.toThrow("got no such file or folder");
  },
);

/** An archive of one stored entry, made one of a deflated entry by its headers. */
function deflatedZip(path: string, content: Uint8Array): Uint8Array {
  const packed = deflateRawSync(content);
  const zip = new Uint8Array(Buffer.concat([...zipChunks([{ path, read: () => packed }])]));
  const view = new DataView(zip.buffer);
  for (let at = 0; at < zip.length - 4; at++) {
    const signature = view.getUint32(at, true);
    const shift = signature === 0x04034b50 ? 0 : signature === 0x02014b50 ? 2 : undefined;
    if (shift === undefined) continue;
    view.setUint16(at + 8 + shift, 8, true);
    view.setUint32(at + 14 + shift, crc32(content), true);
    view.setUint32(at + 22 + shift, content.length, true);
  }
  return zip;
}

test.skipIf(process.platform === "win32")(
  "inflated weights have no name that a stopped process could leave",
  async () => {
    vi.stubEnv("TMPDIR", join(folder, "tmp"));
    mkdirSync(join(folder, "tmp"));
    const content = new Uint8Array(60 * 1024 * 1024).fill(7);
    writeFileSync(join(folder, "m.zip"), deflatedZip("w.bin", content));
    const { files } = await openModelSource(join(folder, "m.zip"));
    let isOpen = false;
    const opening = files.open("w.bin").finally(() => {
      isOpen = true;
    });
    let [looks, named] = [0, 0];
    for (; !isOpen; looks++) {
      if (readdirSync(join(folder, "tmp")).length > 0) named++;
      await setImmediate();
    }
    const source = await opening;
    expect(source.size).toBe(content.length);
    expect(source.slice(source.size - 3, source.size)).toEqual(Uint8Array.of(7, 7, 7));
    expect(looks).toBeGreaterThan(20);
    expect(named).toBeLessThan(looks / 2);
  },
);
