import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Failpoint } from '../../../src/domain/failpoints.js'
import { partitionKeyOf, type Partition } from '../../../src/domain/partition.js'
import { violations } from '../invariants.js'
import { referenceFor, REPUBLISHED_MONTHS } from '../reference.js'
import { BACKENDS, LOCK_SECONDS, openRig, until, type Rig } from '../rig.js'
import type { RunOptions, Scenario } from '../scenario.js'
import { unfinished } from '../settle.js'
import type { Line, WorkerChild } from '../worker-child.js'

/** One a stage: stopped with its effect done, or about to be done, and its commit to come. */
const POINTS: readonly Failpoint[] = ['download.fetched', 'convert.written', 'upload.put', 'verify.inspected']
/** Stopped while it publishes, with the row locked in a transaction. */
const LOCKED_POINTS: readonly Failpoint[] = ['verify.locked', 'verify.kept', 'verify.published', 'verify.certified']

export const zombies: Scenario = {
  name: 'zombie',
  title: 'a worker stopped in any stage while another finishes a newer revision is fenced when it goes on',
  backends: BACKENDS,
  run: (o) => walk(o, POINTS, async (rig, point) => {
    const zombie = await stoppedAt(rig, point)
    await sleep(3 * LOCK_SECONDS * 1_000)
    return zombie
  }),
}

export const lockedZombies: Scenario = {
  name: 'zombie-publishing',
  title: 'a worker stopped while it publishes, whose database connection is lost, spoils nothing when it goes on',
  backends: BACKENDS,
  run: (o) => walk(o, LOCKED_POINTS, async (rig, point) => {
    const zombie = await stoppedAt(rig, point)
    const ended = await endTransactions(rig)
    if (ended === 0) throw new Error(`nobody held a row at ${point}`)
    return zombie
  }),
}

/** At each point: stop a worker, let another finish its partition and then a newer revision, and let the first go on. */
async function walk(
  o: RunOptions, points: readonly Failpoint[], stop: (rig: Rig, point: Failpoint) => Promise<WorkerChild>,
): Promise<{ faults: number; violations: string[] }> {
  const reference = await referenceFor(REPUBLISHED_MONTHS)
  const rig = await openRig({ backend: o.backend, months: REPUBLISHED_MONTHS })
  const wrong: string[] = []
  const todo = [...rig.sample.partitions]
  const done: Partition[] = []
  try {
    for (const point of points) {
      const partition = todo.shift()
      if (!partition) throw new Error('the sample is too small')
      const planned = () => rig.plan({ symbols: [partition.symbol], months: [partition.month, partition.month] })
      await planned()
      const zombie = await stop(rig, point)
      const other = rig.worker({ env: SELDOM })
      await finished(rig, 'the first revision', other)
      await rig.sample.republish(partition)
      await planned()
      await finished(rig, 'the newer revision', other)
      done.push(partition)
      zombie.signal('SIGCONT')
      const key = partitionKeyOf(partition)
      const ending = await zombie.line((line) => isFenced(line, key), 20_000)
      if (!ending) wrong.push(`the worker stopped at ${point} was not fenced: ${zombie.text.slice(-2_000)}`)
      await zombie.drain()
      wrong.push(...(await violations(rig, { reference, partitions: done, republished: done })).map((what) => `${point}: ${what}`))
      await other.drain()
      o.say(`${o.backend}: stopped at ${point}, ${wrong.length} violations`)
    }
    return { faults: points.length, violations: wrong }
  } finally {
    await rig.close()
  }
}

const isFenced = ({ event, name, ...line }: Line, key: string): boolean =>
  event === 'log' && name === 'stage.fenced' && line['partition'] === key

/** Reconcile of these workers does not come round: fences hold, not the sweeping of what a stopped worker would need. */
const SELDOM = { RECONCILE_SECONDS: '600' }

async function stoppedAt(rig: Rig, point: Failpoint): Promise<WorkerChild> {
  const worker = rig.worker({ points: `${point}:stop`, env: SELDOM })
  const witness = await worker.line(({ event }) => event === 'failpoint', 30_000)
  const isStopped = witness !== null && await until(() => worker.state === 'T', 5_000)
  if (!isStopped) throw new Error(`no worker stopped at ${point}:\n${worker.text.slice(-2_000)}`)
  return worker
}

async function finished(rig: Rig, what: string, other: WorkerChild): Promise<void> {
  if (await until(async () => (await unfinished(rig)) === '', 60_000, 100)) return
  throw new Error(`${what} is not finished: ${await unfinished(rig)}\n${other.text.slice(-2_000)}`)
}

/** What the server does by itself after `idle_in_transaction_session_timeout`: the row is free, its holder is not told. */
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
