import { rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { ensureRunning, type Running } from './ensure-running.js'
import { coded } from './failure.js'
import { beat, HEARTBEAT_MS, registerHolder, sweepHolders } from './holders.js'
import { locationOf, openHome, placeIn, type HomeDirs, type Place } from './place.js'
import { postmasterOf, stopPostmaster } from './postmaster.js'
import type { Connection } from './probe-server.js'
import { withProcessLock } from './process-lock.js'
import { isRoot } from './server-user.js'
import { capServerLog } from './server-log.js'

/** Longer than the longest work under the lock: a first start, or a start that recovers. */
const LOCK_WAIT_MS = 180_000

/** A running embedded server that this process holds a share of. */
export interface EmbeddedPostgres {
  /** For `pg`, with `ssl: false`; `host` is the folder of the Unix socket. */
  readonly connection: Connection
  readonly dataDir: string
  /** Whether the server ran already. */
  readonly adopted: boolean
  /** Gives the share back; the last one stops the server. A second call does nothing. */
  release(): Promise<void>
}

/**
 * The embedded server of a home, started or adopted. Starting, stopping and counting happen under the home's lock.
 * A process that dies without `release` leaves the server running, and the next one adopts it.
 * @throws {EMBEDDED_FAILED} with the last lines of the server's log
 * @throws {EMBEDDED_MAJOR} when the data are of another major version
 * @throws {DISK_FULL} when that is the cause
 */
export async function acquireEmbeddedPostgres(o: {
  home: string
  log?: (line: string) => void
}): Promise<EmbeddedPostgres> {
  const log = o.log ?? (() => undefined)
  return coded(resolve(o.home), async () => {
    const dirs = await openHome(o.home)
    return withProcessLock({ dir: dirs.lockDir, waitMs: LOCK_WAIT_MS }, async () => {
      const place = await placeIn(dirs)
      const others = await sweepHolders(dirs.holdersDir)
      const holder = await registerHolder(dirs.holdersDir)
      try {
        return share(place, holder, await ensureRunning({ place, others, log }))
      } catch (e) {
        await rm(holder, { force: true })
        throw e
      }
    })
  })
}

/**
 * Stops a server that no living process holds, as a kill -9 leaves it. `held` and `absent` change nothing.
 * @throws {EMBEDDED_FAILED} when it does not stop
 */
export async function stopEmbeddedPostgres(o: { home: string }): Promise<'stopped' | 'held' | 'absent'> {
  return coded(resolve(o.home), () => ifUnused(o.home, stopServer))
}

/**
 * Stops an unheld server and deletes its database, wherever it lies: for tests and demos in a temporary home.
 * @throws {EMBEDDED_FAILED} when it does not stop
 */
export async function removeEmbeddedPostgres(o: { home: string }): Promise<'removed' | 'held' | 'absent'> {
  return coded(resolve(o.home), async () => {
    const outcome = await ifUnused(o.home, async (place) => {
      await stopServer(place)
      if (isRoot()) await rm(place.baseDir, { recursive: true, force: true })
      else await rm(place.dataDir, { recursive: true, force: true })
      await rm(place.passwordFile, { force: true })
      await rm(join(place.ownDir, 'location.json'), { force: true })
      return 'removed' as const
    })
    return outcome
  })
}

async function ifUnused<T>(home: string, work: (place: Place) => Promise<T>): Promise<T | 'held' | 'absent'> {
  if ((await locationOf(resolve(home))) === null) return 'absent'
  const dirs = await openHome(home)
  return withProcessLock({ dir: dirs.lockDir, waitMs: LOCK_WAIT_MS }, async () => {
    const { here, elsewhere } = await sweepHolders(dirs.holdersDir)
    return here.length + elsewhere.length > 0 ? 'held' : work(await placeIn(dirs))
  })
}

function share(place: Place, holder: string, running: Running): EmbeddedPostgres {
  const timer = setInterval(() => {
    void beat(holder)
    void capServerLog(place.dataDir).catch(() => undefined)
  }, HEARTBEAT_MS)
  timer.unref()
  let released: Promise<void> | null = null
  const release = (): Promise<void> => {
    clearInterval(timer)
    released ??= coded(place.home, () => giveBack(place, holder, running.pid))
    return released
  }
  return { connection: running.connection, dataDir: place.dataDir, adopted: running.adopted, release }
}

async function giveBack(place: Place, holder: string, pid: number): Promise<void> {
  if (await isGone(place)) {
    // The home was deleted under us: nobody else can come, and the server is ours to stop.
    await stopServer(place, pid)
    return
  }
  await withProcessLock({ dir: place.lockDir, waitMs: LOCK_WAIT_MS }, async () => {
    await rm(holder, { force: true })
    const { here, elsewhere } = await sweepHolders(place.holdersDir)
    if (here.length + elsewhere.length === 0) await stopServer(place, pid)
  })
}

const isGone = (dirs: HomeDirs): Promise<boolean> => stat(dirs.ownDir).then(() => false, () => true)

async function stopServer(place: Place, knownPid?: number): Promise<'stopped' | 'absent'> {
  const running = await postmasterOf(place.dataDir)
  const pid = running?.pid ?? knownPid
  if (pid !== undefined) await stopPostmaster(place.dataDir, pid)
  // A folder under /tmp goes with the server; one in the home stays.
  if (!place.socketDir.startsWith(place.baseDir)) await rm(place.socketDir, { recursive: true, force: true })
  return running === null ? 'absent' : 'stopped'
}
