/** Which version of the package this is. */
import { readFileSync } from "node:fs";

/** The version of package.json. */
export function packageVersion(): string {
  // The same place seen from src/cli and from dist/cli.
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
