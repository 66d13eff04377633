import pg from 'pg'
import { FIRST_MONTH, SYMBOLS } from '../archive-sample.js'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, countOf, openRig, until, type Rig } from '../rig.js'
import type { Scenario } from '../scenario.js'

const MONTHS = 3

/**
 * Deaths in a row that a partition may come to by its company alone: two, one more while it is in hand, and two for
 * leases that run out on a busy machine.
 */
const MOST_BLAMED = 5

export const poisoned: Scenario = {
  name: 'poisoned',
  title: 'a partition that kills every worker is given up as POISONED, and those that shared its workers are verified',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    // Slow enough to be in the hands of every worker that dies.
    const archiveFaults = [{ latencyMs: 2_000, match: `/data/spot/monthly/klines/${SYMBOLS[1]}/` }]
    const env = { JOB_LOCK_SECONDS: '1', LEASE_SECONDS: '1' }
    const rig = await openRig({ backend: o.backend, months: MONTHS, archiveFaults, env })
    const poison = `spot-klines/${SYMBOLS[0]}/1h/${FIRST_MONTH}`
    const points = `convert.claimed:kill@${poison}`
    try {
      await rig.plan()
      let deaths = 0
      const lane = async (): Promise<void> => {
        while ((await countOf(rig, 'failed')) === 0 && deaths < 30) {
          const worker = rig.worker({ points })
          await until(async () => !worker.alive || (await countOf(rig, 'failed')) > 0, 60_000, 100)
          if (worker.count(({ event }) => event === 'failpoint') > 0) deaths++
          await worker.drain()
        }
      }
      const [blamed] = await Promise.all([mostBlamed(rig, poison), lane(), lane()])
      const other = rig.worker({ points })
      const ends = new Map([[poison, { state: 'failed', code: 'POISONED' } as const]])
      const wrong = await violations(rig, { reference, ends })
      if (deaths < 3) wrong.push(`only ${deaths} workers died`)
      if (blamed > MOST_BLAMED) wrong.push(`a partition that was not to blame came to ${blamed} deaths in a row`)
      await other.drain()
      o.say(`${o.backend}: given up after ${deaths} deaths, another blamed for ${blamed}, ${wrong.length} violations`)
      return { faults: deaths, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}

/** The most deaths in a row, one that may be to come included, that another partition was counted until the end. */
async function mostBlamed(rig: Rig, poison: string): Promise<number> {
  const client = new pg.Client(rig.connection)
  await client.connect()
  let most = 0
  try {
    await until(async () => {
      const { rows } = await client.query<{ crashes: number; failed: boolean }>(`
        select coalesce(max(crashes) filter (where key <> $1), 0) as crashes,
          bool_or(key = $1 and state = 'failed') as failed
        from candlelake.partitions, concat_ws('/', dataset, symbol, "interval", month) as key`, [poison])
      most = Math.max(most, rows[0]?.crashes ?? 0)
      return rows[0]?.failed ?? false
    }, 120_000, 100)
  } finally {
    await client.end()
  }
  return most
}
