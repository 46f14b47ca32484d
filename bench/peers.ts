/** The programs that users have today: scripts in ../shared/peers, run by ZHBERT_BENCH_PYTHON or python3. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type PeerCommand, Skip } from "./bench.ts";

/** The absolute path of a file of the material beside the checkout, or undefined where it is absent. */
export function sharedPath(path: string): string | undefined {
  const absolute = fileURLToPath(new URL(`../../shared/${path}`, import.meta.url));
  return existsSync(absolute) ? absolute : undefined;
}

/**
 * A Python peer.
 * @param script - its file name. @param options - of its command line, by name without the dashes.
 * @throws {Skip} when the script is absent.
 */
export function pythonPeer(script: string, options: Readonly<Record<string, string | number | true>>): PeerCommand {
  const path = sharedPath(`peers/${script}`);
  if (path === undefined) throw new Skip(`../shared/peers/${script} is not there`);
  return pythonCommand(path, options);
}

/** A Python program that speaks the protocol of `--serve`, by its path. */
export function pythonCommand(path: string, options: Readonly<Record<string, string | number | true>>): PeerCommand {
  const flags = Object.entries(options).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  return { command: pythonProgram(), args: [path, ...flags, "--serve"] };
}

/** The interpreter that has the peers' libraries. */
export function pythonProgram(): string {
  return process.env["ZHBERT_BENCH_PYTHON"] ?? "python3";
}

/**
 * The dtype of a PyTorch peer that computes as ours does: bf16 under autocast, unless ours is told to take f32.
 */
export function torchDtype(precision: string): "fp32" | "bf16" {
  return precision === "f32" ? "fp32" : "bf16";
}

/** @throws {Skip} when the peer computes in another precision than the setting asks for; `auto` leaves none out. */
export function expectPrecision(precision: string, dtype: "fp32" | "bf16"): void {
  if (precision === "auto" || torchDtype(precision) === dtype) return;
  throw new Skip(`not asked for by --precision=${precision}`);
}
