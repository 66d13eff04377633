import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Runs a task with a temporary folder that is gone afterwards, however the task ends. */
export async function withScratch<T>(task: (scratch: string) => Promise<T>): Promise<T> {
  const scratch = await mkdtemp(join(tmpdir(), 'candlelake-'))
  try {
    return await task(scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}
