import { partitionKeyOf } from '../../../src/domain/partition.js'
import { addMonths } from '../../../src/domain/month.js'
import { FIRST_MONTH, SYMBOLS } from '../archive-sample.js'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, countOf, openRig, until } from '../rig.js'
import type { Scenario } from '../scenario.js'

const MONTHS = 3

export const engineCrashed: Scenario = {
  name: 'engine-crashed',
  title: 'a partition that crashes the engine is quarantined, and its neighbours are verified at their first attempt',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    const crashing = `spot-klines/${SYMBOLS[0]}/1h/${addMonths(FIRST_MONTH, 1)}`
    const rig = await openRig({ backend: o.backend, months: MONTHS, env: { ENGINE_CRASH_ON: crashing } })
    try {
      const worker = rig.worker()
      await rig.plan()
      const ends = new Map([[crashing, { state: 'quarantined', code: 'ENGINE_CRASHED' } as const]])
      const wrong = await violations(rig, { reference, ends })
      const crashes = worker.count((line) => line.event === 'job' && line['code'] === 'ENGINE_CRASHED')
      if (crashes < 1) wrong.push('the engine did not crash')
      await worker.drain()
      o.say(`${o.backend}: the engine crashed ${crashes} times, ${wrong.length} violations`)
      return { faults: crashes, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}

export const poisoned: Scenario = {
  name: 'poisoned',
  title: 'a partition that kills every worker is given up as POISONED, and the others go on',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    const rig = await openRig({ backend: o.backend, months: MONTHS, env: { JOB_LOCK_SECONDS: '1', LEASE_SECONDS: '1' } })
    const [poison] = rig.sample.partitions
    if (!poison) throw new Error('the sample is empty')
    try {
      await rig.plan({ symbols: [poison.symbol], months: [poison.month, poison.month] })
      let deaths = 0
      const lane = async (): Promise<void> => {
        while ((await countOf(rig, 'failed')) === 0 && deaths < 20) {
          const worker = rig.worker({ points: 'convert.claimed:kill' })
          await until(async () => !worker.alive || (await countOf(rig, 'failed')) > 0, 60_000, 100)
          if (worker.count(({ event }) => event === 'failpoint') > 0) deaths++
          await worker.kill()
        }
      }
      await Promise.all([lane(), lane()])
      const healthy = rig.worker()
      await rig.plan({ months: [addMonths(FIRST_MONTH, 1), addMonths(FIRST_MONTH, MONTHS - 1)] })
      const ends = new Map([[partitionKeyOf(poison), { state: 'failed', code: 'POISONED' } as const]])
      const partitions = rig.sample.partitions.filter((p) => p.month !== FIRST_MONTH || p === poison)
      const wrong = await violations(rig, { reference, partitions, ends })
      if (deaths < 3) wrong.push(`only ${deaths} workers died`)
      await healthy.drain()
      o.say(`${o.backend}: given up after ${deaths} deaths, ${wrong.length} violations`)
      return { faults: deaths, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}
