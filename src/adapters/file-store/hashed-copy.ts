import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { orAbsent } from './file-failure.js'
import { freshStamp } from './file-info.js'

const CHUNK_BYTES = 262_144

/** Copies a file to a new one, durably, and gives the SHA-256 (hex) of the bytes that were copied; null when there is none. */
export async function hashedCopy(from: string, to: string): Promise<string | null> {
  const source = await orAbsent(() => open(from, 'r'))
  if (!source) return null
  try {
    const target = await open(to, 'wx')
    try {
      const hash = createHash('sha256')
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
      for (;;) {
        const { bytesRead } = await source.read(buffer, 0, buffer.length)
        if (bytesRead === 0) break
        hash.update(buffer.subarray(0, bytesRead))
        for (let at = 0; at < bytesRead; ) at += (await target.write(buffer, at, bytesRead - at)).bytesWritten
      }
      const stamp = freshStamp()
      await target.utimes(stamp, stamp)
      await target.sync()
      return hash.digest('hex')
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}
