import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, countOf, openRig, until, type Rig } from '../rig.js'
import type { Scenario } from '../scenario.js'

const MONTHS = 6
const DOWN_MS = 3_000

export const postgresCrashed: Scenario = {
  name: 'postgres-crashed',
  title: 'workers outlive a Postgres that is stopped with -m immediate and comes back after 3 s',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    const archiveFaults = [{ latencyMs: 400, match: '/data/' }]
    const rig = await openRig({
      backend: o.backend, months: MONTHS, archiveFaults, ownPostgres: true, env: { DOWNLOAD_CONCURRENCY: '2' },
    })
    try {
      const workers = [rig.worker(), rig.worker()]
      await rig.plan()
      if (!await until(async () => (await countOf(rig, 'verified')) >= 2, 60_000, 20)) throw new Error('no progress')
      const left = rig.sample.partitions.length - (await countOf(rig, 'verified'))
      const before = await startedAt(rig)
      await rig.postgres?.crash()
      await sleep(DOWN_MS)
      await rig.postgres?.start()
      const wrong = before === (await startedAt(rig)) ? ['Postgres was not restarted'] : []
      if (left < 2) wrong.push('the run was over too early')
      wrong.push(...await violations(rig, { reference }))
      for (const { alive, text } of workers) if (!alive) wrong.push(`a worker did not survive:\n${text.slice(-2_000)}`)
      for (const worker of workers) await worker.drain()
      o.say(`${o.backend}: crashed with ${left} of ${rig.sample.partitions.length} to do, ${wrong.length} violations`)
      return { faults: 1, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}

async function startedAt(rig: Rig): Promise<string> {
  const client = new pg.Client(rig.connection)
  await client.connect()
  const { rows } = await client.query<{ at: string }>('select pg_postmaster_start_time()::text as at')
  await client.end()
  return rows[0]?.at ?? ''
}
