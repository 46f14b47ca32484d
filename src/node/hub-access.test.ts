import { readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { cutAfter, failure, hubTools, isWeights, useHub, weights } from "../../test/hub-fixture.ts";
import { etagOf } from "../../test/hub-server.ts";
import { downloadModel, downloadModelFiles } from "./hub.ts";

const at = useHub();
const { options, download } = hubTools(at);

describe("tokens", () => {
  test("are shown to the hub, and not to where it redirects", async () => {
    const seen: (string | undefined)[] = [];
    const storage = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(200, { etag: '"of-the-storage"', "content-length": weights.length }).end(weights);
    });
    await new Promise<void>((done) => storage.listen(0, "127.0.0.1", done));
    const { port } = storage.address() as { port: number };
    at.hub.misbehave = ({ path }, response) => {
      if (!isWeights(path)) return false;
      const location = `http://127.0.0.1:${port}/bucket/object?signature=1`;
      response.writeHead(302, { location, "x-linked-etag": `"${etagOf(weights)}"` }).end();
      return true;
    };
    await download({ token: "hf_secret" });
    await new Promise((done) => storage.close(done));
    expect(seen).toEqual([undefined]);
    expect(new Set(at.hub.seen.map(({ headers }) => headers.authorization))).toEqual(new Set(["Bearer hf_secret"]));
  });

  test("come from HF_TOKEN; a stored one is not for mirrors", async () => {
    vi.stubEnv("HF_TOKEN_PATH", join(at.cacheDir, "token"));
    writeFileSync(join(at.cacheDir, "token"), "hf_stored\n");
    await download();
    expect(at.hub.seen[0]?.headers.authorization).toBeUndefined();
    vi.stubEnv("HF_TOKEN", "hf_given");
    await download();
    expect(at.hub.seen.at(-1)?.headers.authorization).toBe("Bearer hf_given");
  });

  test.each([
    [401, "RepoNotFound", undefined, "no such model, or a private one", "HF_TOKEN"],
    [401, "", "hf_x", "the token is not valid", "check the token"],
    [403, "GatedRepo", "hf_x", "the model is gated", "conditions at https://huggingface.co/hfl/rbt3"],
    [401, "GatedRepo", undefined, "the model is gated", "HF_TOKEN"],
    [403, "", "hf_x", "your account may not read it", "ask the owner"],
    [404, "RevisionNotFound", undefined, "no such revision", "--revision"],
    [404, "RepoNotFound", "hf_x", "no such model", "zhbert models"],
  ])("status %i %s: says what to do", async (status, code, token, got, hint) => {
    at.hub.misbehave = (_, response) => {
      response.writeHead(status, { "x-error-code": code }).end("no");
      return true;
    };
    const error = await failure(download({ token }));
    expect(error.message).toContain(got);
    expect(error.hint).toContain(hint);
    expect(at.hub.seen.length).toBe(1);
    expect(error.message + error.hint).not.toContain("hf_x");
  });
});

describe("ModelScope", () => {
  test("is asked by its own addresses; its token is a cookie", async () => {
    vi.stubEnv("MODELSCOPE_API_TOKEN", "ms-secret");
    const { folder, files } = await downloadModelFiles("dienstag/rbt3", options({ source: "modelscope" }));
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors", "vocab.txt"]);
    expect(files.every(({ sha256 }) => sha256?.length === 64)).toBe(true);
    expect(at.hub.seen[0]?.path).toBe("/api/v1/models/dienstag/rbt3/repo/files?Revision=master&Recursive=true");
    expect(at.hub.fileRequests()[0]?.path).toBe(
      "/api/v1/models/dienstag/rbt3/repo?Revision=master&FilePath=config.json",
    );
    expect(at.hub.seen[0]?.headers.cookie).toBe("m_session_id=ms-secret");
    expect(at.hub.seen[0]?.headers.authorization).toBeUndefined();
    expect(await downloadModel("dienstag/rbt3", options({ source: "modelscope", offline: true }))).toBe(folder);
  });

  test("has known models under other names", async () => {
    await download({ source: "modelscope" }, "hfl/chinese-roberta-wwm-ext");
    expect(at.hub.seen[0]?.path).toContain("/models/dienstag/chinese-roberta-wwm-ext/");
  });

  test("goes on after a cut, and tells what it answered", async () => {
    at.hub.misbehave = ({ path }, response, count) => {
      if (!path.includes("FilePath=model.safetensors") || count > 1) return false;
      cutAfter(response, 70_000);
      return true;
    };
    await download({ source: "modelscope" });
    expect(at.hub.fileRequests().at(-1)?.headers.range).toBe("bytes=70000-");
    at.hub.misbehave = (_, response) => {
      response.end(JSON.stringify({ Code: 10010205001, Message: "the model is not found", Data: null }));
      return true;
    };
    expect((await failure(download({ source: "modelscope" }, "a/b"))).message).toContain("the model is not found");
  });
});

describe("proxies", () => {
  test("of the environment are used, but not for NO_PROXY", async () => {
    const asked: (string | undefined)[] = [];
    const proxy = createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(403).end();
    });
    proxy.on("connect", (request, socket) => {
      asked.push(request.url);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
    vi.stubEnv("http_proxy", `http://127.0.0.1:${(proxy.address() as { port: number }).port}`);
    vi.stubEnv("no_proxy", "");
    await failure(download());
    expect(asked.length).toBeGreaterThan(0);
    expect(asked[0]).toContain(new URL(at.hub.url).host);
    const before = asked.length;
    vi.stubEnv("no_proxy", "127.0.0.1");
    await download();
    expect(asked.length).toBe(before);
    await new Promise((done) => proxy.close(done));
  });
});
