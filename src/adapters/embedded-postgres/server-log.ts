import { constants, open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServerUser } from './run-program.js'

/** Two files of at most about this size: `server.log` and what came before it, `server.log.1`. */
const CAP_BYTES = 4 * 1024 * 1024

// As root the folder is the server user's: a link that it puts there must not lead us elsewhere.
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = constants

const pathOf = (dataDir: string): string => join(dataDir, 'server.log')

/** The log opened for appending, owned by the server's user. The caller closes it. */
export async function openServerLog(dataDir: string, user: ServerUser): Promise<FileHandle> {
  await capServerLog(dataDir)
  const file = await open(pathOf(dataDir), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600)
  if (user !== null) await file.chown(user.uid, user.gid)
  return file
}

/** The end of the log from byte `from` on, at most 16 KiB. */
export async function readServerLog(dataDir: string, from = 0): Promise<string> {
  const file = await open(pathOf(dataDir), O_RDONLY | O_NOFOLLOW).catch(() => null)
  if (file === null) return ''
  try {
    const { size } = await file.stat()
    // A log that is shorter than it was has been capped meanwhile.
    return (await readRange(file, Math.max(from > size ? 0 : from, size - 16_384), size)).toString('utf8')
  } finally {
    await file.close()
  }
}

/**
 * Moves a log that has grown too long to `server.log.1` and empties it: the server appends, so it needs no restart.
 * Its own collector could cap by size only under ever new names.
 */
export async function capServerLog(dataDir: string): Promise<void> {
  const file = await open(pathOf(dataDir), O_RDWR | O_NOFOLLOW).catch(() => null)
  if (file === null) return
  try {
    const { size } = await file.stat()
    if (size <= CAP_BYTES) return
    const older = await open(`${pathOf(dataDir)}.1`, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    await older.write(await readRange(file, size - CAP_BYTES, size)).finally(() => older.close())
    await file.truncate(0)
  } finally {
    await file.close()
  }
}

async function readRange(file: FileHandle, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, to - from))
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from)
  return buffer.subarray(0, bytesRead)
}
