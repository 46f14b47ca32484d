import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { config, cutAfter, failure, hubTools, isWeights, quick, useHub, weights } from "../../test/hub-fixture.ts";
import { commitOf, etagOf } from "../../test/hub-server.ts";

const at = useHub();
const { download, blobs, partial, weightsRequests } = hubTools(at);

describe("a hub that misbehaves", () => {
  test("cuts in the middle: the rest is asked for by a range", async () => {
    at.hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path) || count > 2) return false;
      if (count === 1) cutAfter(response, 100_000);
      else {
        const from = Number(/\d+/.exec(at.hub.seen.at(-1)?.headers.range ?? "")?.[0]);
        const range = `bytes ${from}-${weights.length - 1}/${weights.length}`;
        response.writeHead(206, { "content-length": weights.length - from, "content-range": range });
        response.write(weights.subarray(from, from + 50_000), () => setTimeout(() => response.destroy(), 30));
      }
      return true;
    };
    const folder = await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(weightsRequests().map(({ headers }) => headers.range)).toEqual([
      undefined,
      "bytes=100000-",
      "bytes=150000-",
    ]);
    expect(weightsRequests()[1]?.headers["if-range"]).toBe(`"${etagOf(weights)}"`);
    expect(at.notes.join()).toContain("the connection was cut");
  });

  test("cuts again and again: what was gained counts, not the cuts", async () => {
    at.hub.misbehave = ({ path, headers }, response, count) => {
      if (!isWeights(path) || count > 8) return false;
      const from = Number(/\d+/.exec(headers.range ?? "0")?.[0]);
      const range = `bytes ${from}-${weights.length - 1}/${weights.length}`;
      response.writeHead(count === 1 ? 200 : 206, { "content-length": weights.length - from, "content-range": range });
      response.write(weights.subarray(from, from + 10_000), () => setTimeout(() => response.destroy(), 10));
      return true;
    };
    const folder = await download();
    expect(weightsRequests().length).toBe(9);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("is cut for good: the part is kept, and the next run goes on from it", async () => {
    at.hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path)) return false;
      if (count === 1) cutAfter(response, 120_000);
      else response.destroy();
      return true;
    };
    const error = await failure(download());
    expect(error.hint).toContain("kept");
    expect(readFileSync(partial()).length).toBe(120_000);
    at.hub.misbehave = () => false;
    const folder = await download();
    expect(weightsRequests().at(-1)?.headers.range).toBe("bytes=120000-");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(existsSync(partial())).toBe(false);
  });

  test("ignores ranges: the file starts anew and is right", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), weights.subarray(0, 1000));
    at.hub.misbehave = ({ path, headers }) => {
      if (isWeights(path)) delete headers.range;
      return false;
    };
    const folder = await download();
    expect(weightsRequests().length).toBe(1);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("has a damaged part from before: it is thrown away and asked for again", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), Buffer.alloc(1000, 255));
    const folder = await download();
    expect(weightsRequests().map(({ headers }) => headers.range)).toEqual(["bytes=1000-", undefined]);
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
    expect(at.notes.join()).toContain("starting anew");
  });

  test.each([
    ["of the whole length, but other bytes", weights.length],
    ["longer than the file", weights.length + 5],
  ])("has a part from before %s", async (_, length) => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), Buffer.alloc(length, 255));
    const folder = await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("has a whole part from before: nothing of it is asked for", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), weights);
    await download();
    expect(weightsRequests()).toEqual([]);
  });

  test("says 429 with Retry-After, and 500 twice", async () => {
    at.hub.misbehave = ({ path }, response, count) => {
      if (path.includes("/tree/") && count === 1) response.writeHead(429, { "retry-after": "0" }).end();
      else if (isWeights(path) && count <= 2) response.writeHead(500).end();
      else return false;
      return true;
    };
    await download();
    expect(at.notes[0]).toMatch(/status 429; trying again in 0 s/);
    expect(at.notes.filter((note) => note.includes("model.safetensors: status 500")).length).toBe(2);
  });

  test("asks to be left alone for too long", async () => {
    at.hub.misbehave = (_, response) => {
      response.writeHead(429, { "retry-after": "9999" }).end();
      return true;
    };
    expect((await failure(download())).message).toContain("it asks to wait 9999 s");
    expect(at.hub.seen.length).toBe(1);
  });

  test("waits until the date of a Retry-After", async () => {
    at.hub.misbehave = (_, response, count) => {
      if (count > 1) return false;
      response.writeHead(503, { "retry-after": new Date(Date.now() - 5000).toUTCString() }).end();
      return true;
    };
    await download();
    expect(at.notes[0]).toContain("trying again in 0 s");
  });

  test("announces a wrong length, too many or too few bytes: an error after some attempts, nothing in the cache", async () => {
    const answers: Record<string, (response: ServerResponse) => void> = {
      "announces 299999 bytes": (response) => {
        response.writeHead(200, { "content-length": weights.length - 1 }).end(weights.subarray(1));
      },
      "sent more than": (response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" });
        response.end(Buffer.concat([weights, weights]));
      },
      "the connection was cut": (response) => {
        response.writeHead(200, { "transfer-encoding": "chunked" }).end(weights.subarray(0, 1000));
      },
    };
    for (const [message, respond] of Object.entries(answers)) {
      at.hub.misbehave = ({ path, headers }, response) => {
        if (!isWeights(path)) return false;
        delete headers.range;
        respond(response);
        return true;
      };
      expect((await failure(download())).message).toContain(message);
      expect(existsSync(join(blobs(), etagOf(weights)))).toBe(false);
    }
  });

  test("sends another part than asked for", async () => {
    mkdirSync(blobs(), { recursive: true });
    writeFileSync(partial(), weights.subarray(0, 1000));
    at.hub.misbehave = ({ path, headers }, response) => {
      if (!isWeights(path) || headers.range === undefined) return false;
      response.writeHead(206, { "content-range": `bytes 5-${weights.length - 1}/${weights.length}` });
      response.end(weights.subarray(5));
      return true;
    };
    const folder = await download();
    expect(at.notes.join()).toContain("another part");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("falls silent: the connection is given up and resumed", async () => {
    at.hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path) || count > 1) return false;
      response.writeHead(200, { "content-length": weights.length });
      response.write(weights.subarray(0, 200_000));
      return true;
    };
    const folder = await download({ patience: { ...quick, silenceMs: 400 } });
    expect(at.notes.join()).toContain("the server is silent");
    expect(weightsRequests()[1]?.headers.range).toBe("bytes=200000-");
    expect(readFileSync(join(folder, "model.safetensors")).equals(weights)).toBe(true);
  });

  test("sends other bytes: the checksum says so and the partial file is deleted", async () => {
    for (const path of ["/model.safetensors", "/vocab.txt"]) {
      const bytes = Buffer.from(at.hub.files.get(path.slice(1)) ?? "");
      bytes[1] = (bytes[1] ?? 0) ^ 1;
      at.hub.misbehave = (request, response) => {
        if (!request.path.endsWith(path)) return false;
        response.writeHead(200, { "content-length": bytes.length }).end(bytes);
        return true;
      };
      rmSync(blobs(), { recursive: true, force: true });
      const error = await failure(download());
      expect(error.message).toContain("the checksum");
      expect(error.hint).toContain("deleted");
      expect(readdirSync(blobs()).filter((name) => name.endsWith(".incomplete"))).toEqual([]);
    }
  });

  test("lists folders without end: the listing is given up", async () => {
    const folders = Array.from({ length: 4000 }, (_, i) => ({ type: "directory", path: `f${i}`, size: 0, oid: "" }));
    at.hub.misbehave = ({ path }, response) => {
      if (!path.includes("/tree/")) return false;
      const link = `<${at.hub.url}${path}>; rel="next"`;
      response.writeHead(200, { "content-type": "application/json", link }).end(JSON.stringify(folders));
      return true;
    };
    expect((await failure(download())).message).toContain("at most 10000 files and folders");
  });

  test("has another content from one try to the next: the model is listed anew", async () => {
    const changed = Buffer.from(weights).reverse();
    at.hub.misbehave = ({ path }, response, count) => {
      if (!isWeights(path) || count > 1) return false;
      cutAfter(response, 50_000);
      at.hub.files.set("model.safetensors", changed);
      return true;
    };
    const folder = await download();
    expect(readFileSync(join(folder, "model.safetensors")).equals(changed)).toBe(true);
    expect(folder).toContain(commitOf(at.hub.files));
    expect(at.notes.join()).toContain("changed on the hub");
    expect(existsSync(partial())).toBe(false);
  });

  test("always has another content", async () => {
    at.hub.misbehave = ({ path }, response) => {
      if (!isWeights(path)) return false;
      response.writeHead(200, { etag: `"${"a".repeat(64)}"`, "content-length": weights.length }).end(weights);
      return true;
    };
    expect((await failure(download())).hint).toContain("--mirror");
  });

  test.each([
    ["a name above the folder", "../../evil.json"],
    ["an absolute name", "/etc/evil.json"],
    ["a Windows name", "..\\evil.json"],
    ["a drive", "C:evil.json"],
    ["an empty part", "a//b.json"],
    ["a line break", "a\nb.json"],
  ])("lists %s: nothing is written", async (_, path) => {
    at.hub.files.set(path, config);
    const error = await failure(download({ files: ["*"] }));
    expect(error.message).toContain("files inside of the repository");
    expect(readdirSync(at.cacheDir)).toEqual([]);
  });

  test("lists more than the disk has room for: nothing is asked for", async () => {
    at.hub.misbehave = ({ path }, response) => {
      if (!path.includes("/tree/")) return false;
      response.end(JSON.stringify([{ type: "file", path: "model.safetensors", size: 2 ** 52, oid: "0".repeat(40) }]));
      return true;
    };
    const error = await failure(download());
    expect(error.message).toContain("4503599628 MB of free space");
    expect(at.hub.fileRequests()).toEqual([]);
  });

  test("lists no sizes or hashes", async () => {
    const listed = (entry: object) => {
      at.hub.misbehave = ({ path }, response) => {
        if (!path.includes("/tree/")) return false;
        response.end(JSON.stringify([{ type: "file", path: "config.json", ...entry }]));
        return true;
      };
    };
    listed({ size: -1, oid: "0".repeat(40) });
    expect((await failure(download())).message).toContain("the size of config.json");
    listed({ size: 1, oid: "../../x" });
    expect((await failure(download())).message).toContain("a SHA-1 or SHA-256");
  });

  test("redirects in circles, or to a file of this machine", async () => {
    for (const location of ["/api/models/again", "file:///etc/passwd"]) {
      at.hub.misbehave = (_, response) => {
        response.writeHead(302, { location }).end();
        return true;
      };
      expect((await failure(download())).message).toMatch(/redirect/);
    }
  });
});
