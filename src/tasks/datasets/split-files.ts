/** Which files of a folder are a split: by the names under which it is published, in sub-folders and packed as well. */

/** A file's name as it is matched: without what it is packed with. */
function unpacked(path: string): string {
  return path.replace(/\.(gz|xz|zst)$/i, "");
}

/**
 * The files of a split in a folder; empty where there is none.
 * @param paths - all files of the folder, relative, with `/`. @param names - as `DatasetSplit.files` has them.
 */
export function splitFiles(
  paths: readonly string[],
  names: readonly (string | readonly string[])[],
): readonly string[] {
  for (const alternative of names) {
    const found = [alternative].flat().map((name) => matching(paths, name));
    if (found.every((files) => files.length > 0)) return [...new Set(found.flat())];
  }
  return [];
}

/** With `*` all, otherwise the one nearest to the folder's top, the first by name of equals. */
function matching(paths: readonly string[], name: string): readonly string[] {
  const pattern = new RegExp(`(^|/)${name.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*")}$`, "iu");
  const found = paths.filter((path) => pattern.test(unpacked(path))).sort(byDepth);
  return name.includes("*") ? found : found.slice(0, 1);
}

function byDepth(a: string, b: string): number {
  return a.split("/").length - b.split("/").length || (a < b ? -1 : 1);
}
