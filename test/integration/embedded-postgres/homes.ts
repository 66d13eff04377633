import { chownSync, existsSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killHolders, runs, serverPidOf, startHolder, type Options } from './holder.js'

const made: { dir: string; homes: Options[] }[] = []

/** A temporary folder that `removeHomes` deletes with the databases of the homes told here. */
export function temporaryFolder(): { dir: string; home: (o: Options) => Options } {
  const entry = { dir: mkdtempSync(join(tmpdir(), 'embedded-test-')), homes: [] as Options[] }
  made.push(entry)
  return {
    dir: entry.dir,
    home(o) {
      entry.homes.push(o)
      return o
    },
  }
}

/** A fresh home of this process's user. */
export function freshHome(): string {
  const folder = temporaryFolder()
  return folder.home({ home: join(folder.dir, 'home') }).home
}

/** Ends every holder and server of the test; what a server left running afterwards is the answer: data directories. */
export async function removeHomes(): Promise<string[]> {
  await killHolders()
  const left: string[] = []
  for (const { dir, homes } of made.splice(0)) {
    for (const o of homes.filter(({ home }) => existsSync(join(home, 'postgres', 'location.json')))) {
      const cleaner = startHolder(o)
      await cleaner.ask('remove').catch((e: unknown) => left.push(String(e)))
      await cleaner.end()
    }
    rmSync(dir, { recursive: true, force: true })
  }
  return left
}

/** Whether the server that the pid file names runs. */
export const hasServer = (dataDir: string): boolean => {
  const pid = serverPidOf(dataDir)
  return pid !== null && runs(pid)
}

/** Every path below `dir` with kind, size and time of change: two equal ones mean that nothing was touched. */
export function fingerprint(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort().map((name) => {
    const s = lstatSync(join(dir, name))
    return `${name} ${s.mode} ${s.size} ${s.mtimeMs} ${s.ctimeMs}`
  })
}

export function give(path: string, user: { uid: number; gid: number }): void {
  chownSync(path, user.uid, user.gid)
}
