import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

const PIECE = 262_144

/** SHA-256 and length of a file. */
export async function digestOf(path: string): Promise<{ sha256Hex: string; bytes: number }> {
  const handle = await open(path)
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(PIECE)
    let bytes = 0
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, PIECE, bytes)
      if (bytesRead === 0) return { sha256Hex: hash.digest('hex'), bytes }
      hash.update(buffer.subarray(0, bytesRead))
      bytes += bytesRead
    }
  } finally {
    await handle.close()
  }
}
