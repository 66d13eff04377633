import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Failpoint } from '../../../src/domain/failpoints.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import { violations } from '../invariants.js'
import { referenceFor, REPUBLISHED_MONTHS } from '../reference.js'
import { BACKENDS, LOCK_SECONDS, openRig, until, type Rig } from '../rig.js'
import type { Outcome, RunOptions, Scenario } from '../scenario.js'
import { unfinished } from '../settle.js'
import type { WorkerChild } from '../worker-child.js'

/** One a stage: stopped with its effect done and its commit to come. */
const POINTS: readonly Failpoint[] = ['download.fetched', 'convert.written', 'upload.put', 'verify.inspected']
/** Stopped while it publishes, with the row locked in a transaction. */
const LOCKED_POINTS: readonly Failpoint[] = ['verify.locked', 'verify.kept', 'verify.published', 'verify.certified']

export const zombies: Scenario = {
  name: 'zombie',
  title: 'a worker that is stopped in any stage while another finishes a newer revision is fenced when it goes on',
  backends: BACKENDS,
  run: (o) => wake(o, POINTS, async () => {
    await sleep(3 * LOCK_SECONDS * 1_000)
  }),
}

export const lockedZombies: Scenario = {
  name: 'zombie-publishing',
  title: 'a worker that is stopped while it publishes and loses its database session spoils nothing when it goes on',
  backends: BACKENDS,
  run: (o) => wake(o, LOCKED_POINTS, async (rig) => {
    const ended = await endTransactions(rig)
    if (ended < LOCKED_POINTS.length) throw new Error(`only ${ended} rows were held`)
  }),
}

type Zombie = { readonly worker: WorkerChild; readonly point: Failpoint; readonly key: string }

/** Stops a worker at each point, lets another finish all and then newer revisions, and lets the stopped ones go on. */
async function wake(
  o: RunOptions, points: readonly Failpoint[], meanwhile: (rig: Rig) => Promise<void>,
): Promise<Outcome> {
  const reference = await referenceFor(REPUBLISHED_MONTHS)
  const rig = await openRig({ backend: o.backend, months: REPUBLISHED_MONTHS })
  try {
    await rig.plan()
    const stopped: Zombie[] = []
    for (const point of points) stopped.push(await stoppedAt(rig, point))
    await meanwhile(rig)
    const other = rig.worker({ env: SELDOM })
    await finished(rig, 'the first revision', other)
    const republished = [...new Set(stopped.map(({ key }) => key))].map(parsePartitionKey)
    for (const partition of republished) await rig.sample.republish(partition)
    await rig.plan()
    await finished(rig, 'the newer revision', other)
    for (const { worker } of stopped) worker.signal('SIGCONT')
    const wrong = (await Promise.all(stopped.map(notFenced))).flat()
    for (const { worker } of stopped) await worker.drain()
    wrong.push(...await violations(rig, { reference, republished }))
    await other.drain()
    o.say(`${o.backend}: stopped at ${points.join(', ')}, ${wrong.length} violations`)
    return { faults: stopped.length, violations: wrong }
  } finally {
    await rig.close()
  }
}

/** Reconcile of these workers does not come round: fences must hold, not the sweeping of what a zombie needs. */
const SELDOM = { RECONCILE_SECONDS: '600' }
/** One partition at a time: a stopped process holds the row of its failpoint and none that a later one has to reach. */
const ONE = { ...SELDOM, VERIFY_CONCURRENCY: '1' }
/** A worker may meet each row that a stopped one holds, and waits 10 s for it. */
const PATIENCE_MS = 90_000

async function stoppedAt(rig: Rig, point: Failpoint): Promise<Zombie> {
  const worker = rig.worker({ points: `${point}:stop`, env: ONE })
  const witness = await worker.line(({ event }) => event === 'failpoint', PATIENCE_MS)
  const isStopped = witness !== null && await until(() => worker.state === 'T', 5_000)
  if (!isStopped) throw new Error(`no worker stopped at ${point}:\n${worker.text.slice(-2_000)}`)
  return { worker, point, key: String(witness['partition']) }
}

/** A commit whose session is gone is not refused but lost; then the job waits, and finds itself superseded. */
async function notFenced({ worker, point, key }: Zombie): Promise<string[]> {
  const fenced = await worker.line(({ name, code, ...line }) => line['partition'] === key
    && (name === 'stage.fenced' || (line.event === 'job' && code === 'CATALOG_UNREACHABLE')), PATIENCE_MS)
  return fenced ? [] : [`the worker stopped at ${point} was not fenced:\n${worker.text.slice(-3_000)}`]
}

async function finished(rig: Rig, what: string, other: WorkerChild): Promise<void> {
  if (await until(async () => (await unfinished(rig)) === '', 2 * PATIENCE_MS, 100)) return
  throw new Error(`${what} is not finished: ${await unfinished(rig)}\n${other.text.slice(-2_000)}`)
}

/** As the server does after `idle_in_transaction_session_timeout`: the row is free, its holder is not told. */
async function endTransactions(rig: Rig): Promise<number> {
  const client = new pg.Client(rig.connection)
  await client.connect()
  try {
    const { rows } = await client.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction'`)
    return rows.length
  } finally {
    await client.end()
  }
}
