import type { FaultKind, FaultRule } from '../../../src/archive-server/fault-rule.js'
import { addMonths } from '../../../src/domain/month.js'
import { FIRST_MONTH } from '../archive-sample.js'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, openRig } from '../rig.js'
import type { Scenario } from '../scenario.js'

/** Only files: a plan whose listing fails has other sizes, which is not what is tested here. */
const FILES = '/data/'

/**
 * Months that are downloaded under each fault. A body that ends early three times in a row is mended in place; four
 * times is the source's own failure, SOURCE_TRUNCATED, and spends an attempt. Node tells a client of a reset in
 * mid-body the same as of an end, so this holds for resets too.
 */
const FAULTS: readonly { readonly kind: FaultKind; readonly months: number; readonly rule: FaultRule }[] = [
  { kind: 'errorRate', months: 4, rule: { match: FILES, errorRate: 0.3 } },
  { kind: 'tooManyRequests', months: 2, rule: { match: FILES, tooManyRequests: { count: 6, retryAfterSeconds: 1 } } },
  { kind: 'truncate', months: 2, rule: { match: FILES, truncate: true, firstPerPath: 3 } },
  { kind: 'stallAfterBytes', months: 2, rule: { match: FILES, stallAfterBytes: 0, firstPerPath: 1 } },
  { kind: 'dropFrom', months: 2, rule: { match: FILES, dropFrom: 20, firstPerPath: 3 } },
]
const MONTHS = FAULTS.reduce((sum, { months }) => sum + months, 0)

export const archiveFaults: Scenario = {
  name: 'archive',
  title: 'an archive that fails, is busy, truncates, stalls and resets is waited for, at no attempt',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    const env = { ARCHIVE_IDLE_TIMEOUT_SECONDS: '1', ARCHIVE_HEADERS_TIMEOUT_SECONDS: '2' }
    const rig = await openRig({ backend: o.backend, months: MONTHS, env })
    const wrong: string[] = []
    let faults = 0
    let from = FIRST_MONTH
    try {
      const worker = rig.worker()
      for (const { kind, months, rule } of FAULTS) {
        rig.archive.faults.set(rule, o.seed)
        const to = addMonths(from, months)
        await rig.plan({ months: [from, addMonths(to, -1)] })
        const partitions = rig.sample.partitions.filter((p) => p.month < to)
        from = to
        wrong.push(...(await violations(rig, { reference, partitions })).map((what) => `${kind}: ${what}`))
        const struck = rig.archive.faults.counts[kind]
        if (struck === 0) wrong.push(`${kind} did not strike`)
        faults += struck
        o.say(`${o.backend}: ${kind} struck ${struck} times, ${wrong.length} violations`)
      }
      await worker.drain()
      return { faults, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}
