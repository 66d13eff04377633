import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'

/** The folder with real archive files that tests read; null where the machine has none. */
export const realArchiveDir = (): string | null => process.env['REAL_ARCHIVE_DIR'] || null

/** Keys of all kline ZIPs below a real archive folder. */
export const klineKeysOf = (root: string): string[] =>
  readdirSync(join(root, 'data'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.zip') && name.includes('/klines/'))
    .map((name) => `data/${name}`)
    .sort()

/** The one member of a ZIP, found by its first local header: enough for the archive's own files. */
export function memberOf(zipPath: string): Buffer {
  const zip = readFileSync(zipPath)
  const central = zip.readUInt32LE(zip.lastIndexOf('PK\u0005\u0006', undefined, 'latin1') + 16)
  const at = 30 + zip.readUInt16LE(26) + zip.readUInt16LE(28)
  const data = zip.subarray(at, at + zip.readUInt32LE(central + 20))
  return zip.readUInt16LE(8) === 0 ? data : inflateRawSync(data)
}
