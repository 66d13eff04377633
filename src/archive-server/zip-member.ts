import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'

/** DOS times are written from local time: made from local parts, so that the bytes are the same in every zone. */
const MTIME = new Date(2025, 1, 3, 12, 0, 0)

/**
 * A ZIP in the archive's exact format: one deflated member, its sizes and CRC in the local header (no data
 * descriptor), no extra fields. Same name and content, same bytes (with the same zlib).
 */
export async function zipMember(o: { readonly name: string; readonly content: Buffer }): Promise<Buffer> {
  const zip = new ZipFile()
  const written = buffer(zip.outputStream)
  zip.addBuffer(o.content, o.name, { mtime: MTIME, mode: 0o100644, forceDosTimestamp: true })
  zip.end()
  const bytes = await written
  // The archive does not flag ASCII names as UTF-8; yazl flags every name.
  if (/^[\x20-\x7e]*$/.test(o.name)) clearUtf8Flag(bytes)
  return bytes
}

function clearUtf8Flag(bytes: Buffer): void {
  const central = bytes.readUInt32LE(bytes.length - 6)
  for (const flags of [6, central + 8]) bytes.writeUInt16LE(bytes.readUInt16LE(flags) & ~0x0800, flags)
}

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** The content of a CHECKSUM file: 64 hex digits, two spaces, the file's name, and no newline at its end. */
export const checksumText = (sha256Hex: string, fileName: string): string => `${sha256Hex}  ${fileName}`
