// Addresses of scripts, styles and pictures of the pages. They contain a hash of the content, so that browsers keep an
// asset and ask for it again only when it changed.

const ASSETS_PATH = "/web/assets/";

/** By name; set when an asset was read. */
const hashes = new Map<string, string>();

export function setAssetHash(name: string, hash: string): void {
  hashes.set(name, hash);
}

/** Returns the address of an asset; without a hash as long as it has not been read, which is also right. */
export function assetAddress(name: string): string {
  const hash = hashes.get(name);
  return hash === undefined ? ASSETS_PATH + name : `${ASSETS_PATH}${name}?v=${hash}`;
}
