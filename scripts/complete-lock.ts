/**
 * Adds the binaries of other platforms to package-lock.json where npm left them out.
 * npm drops optional packages that the registry at hand does not serve, and then `npm ci` refuses the lock file.
 * Use, after every change of dependencies: npx tsx scripts/complete-lock.ts
 */
import { readFileSync, writeFileSync } from "node:fs";

interface LockEntry {
  version: string;
  cpu?: string[];
  dev?: boolean;
  libc?: string[];
  optional?: boolean;
  os?: string[];
  optionalDependencies?: Record<string, string>;
}

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const PROCESSORS = ["arm64", "arm", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** The platform that a package's name tells, in npm's terms. */
function platformOf(name: string): Pick<LockEntry, "cpu" | "libc" | "os"> {
  const parts = name.split(/[-/]/);
  const os = SYSTEMS.filter((system) => parts.includes(system));
  const cpu = PROCESSORS.filter((processor) => parts.includes(processor));
  const libc = parts.includes("musl") ? ["musl"] : parts.includes("gnu") ? ["glibc"] : [];
  return { ...(cpu.length > 0 && { cpu }), ...(libc.length > 0 && { libc }), ...(os.length > 0 && { os }) };
}

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, LockEntry> };
const { packages } = lock;
for (const [path, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (packages[`node_modules/${name}`] ?? packages[`${path}/node_modules/${name}`]) continue;
    packages[`node_modules/${name}`] = {
      version: version.replace(/^[~^]/, ""),
      ...(entry.dev && { dev: true }),
      optional: true,
      ...platformOf(name),
    };
    console.log(`added ${name} ${version}`);
  }
}
const [root, ...others] = Object.keys(packages);
lock.packages = Object.fromEntries(
  [root as string, ...others.sort()].map((path) => [path, packages[path] as LockEntry]),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
