import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new empty folder for one test; `remove` takes all that was put into it. */
export async function tempFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'candlelake-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
