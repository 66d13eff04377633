import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { tempFolder } from '../support/temp-folder.js'
import type { Outcome, RunOptions } from './scenario.js'

const run = promisify(execFile)
const MAIN = fileURLToPath(new URL('./main.js', import.meta.url))

/** As root of a user namespace of its own it mounts; as the user it was, in one within that, it runs the campaign. */
const SCRIPT = `
mount -t tmpfs -o size=$1k tmpfs "$2" && mount -t tmpfs -o size=$1k tmpfs "$3" || exit 3
uid=$4 gid=$5
shift 5
exec unshare --user --map-user="$uid" --map-group="$gid" "$@"`

/** Runs a scenario with two small disks for a user who may not mount: in a child process that may, for itself alone. */
export async function inNamespace(name: string, kib: number, o: RunOptions): Promise<Outcome> {
  const folder = await tempFolder()
  const [lake, staging] = [join(folder.path, 'lake'), join(folder.path, 'staging')]
  try {
    for (const dir of [lake, staging]) await mkdir(dir)
    const user = [process.getuid?.() ?? 0, process.getgid?.() ?? 0].map(String)
    const campaign = [
      process.execPath, MAIN, '--only', name, '--backend', o.backend, '--seed', String(o.seed),
      '--disks', `${lake},${staging}`,
    ]
    const script = ['sh', '-c', SCRIPT, 'sh', String(kib), lake, staging, ...user, ...campaign]
    const said = await run('unshare', ['--user', '--map-root-user', '--mount', ...script])
      .then(({ stdout }) => stdout, saidInVain)
    const faults = Number(/^(\d+) faults/m.exec(said)?.[1] ?? 0)
    return { faults, violations: said.split('\n').filter((line) => line.includes('VIOLATION ')) }
  } finally {
    await folder.remove()
  }
}

/** What a campaign with violations said; anything else did not come so far. */
function saidInVain(thrown: unknown): string {
  const said = thrown instanceof Error && 'stdout' in thrown ? String(thrown.stdout) : ''
  if (said.includes('VIOLATION ')) return said
  const message = 'a test of a full disk mounts a small one: that needs root, or user namespaces (unshare --user)'
  throw new Error(message, { cause: thrown })
}
