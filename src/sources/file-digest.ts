import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

const PIECE = 262_144

/**
 * SHA-256 and length of a file. Read synchronously: it is called where nothing else is to be done, in the engine's own
 * process, and each hop to another thread and back waits for a turn on a busy machine.
 */
export function digestOf(path: string): { sha256Hex: string; bytes: number } {
  const file = openSync(path, 'r')
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.allocUnsafe(PIECE)
    let bytes = 0
    for (;;) {
      const read = readSync(file, buffer, 0, PIECE, bytes)
      if (read === 0) return { sha256Hex: hash.digest('hex'), bytes }
      hash.update(buffer.subarray(0, read))
      bytes += read
    }
  } finally {
    closeSync(file)
  }
}
