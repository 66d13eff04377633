import { addMonths } from '../../../src/domain/month.js'
import { FIRST_MONTH, SYMBOLS } from '../archive-sample.js'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, openRig } from '../rig.js'
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
