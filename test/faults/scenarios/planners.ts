import { partitionKeyOf } from '../../../src/domain/partition.js'
import { SYMBOLS } from '../archive-sample.js'
import { violations } from '../invariants.js'
import { referenceFor } from '../reference.js'
import { BACKENDS, countOf, openRig, until, type Rig } from '../rig.js'
import type { Scenario } from '../scenario.js'

const MONTHS = 6

export const planners: Scenario = {
  name: 'planners',
  title: 'two planners at once, and the same backfill again, do every partition once',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    const rig = await openRig({ backend: o.backend, months: MONTHS })
    try {
      const workers = [rig.worker(), rig.worker()]
      const reports = await Promise.all([rig.plan(), rig.plan()])
      const wrong = await violations(rig, { reference })
      const runs = new Set(reports.map(({ run }) => run?.id))
      if (runs.size !== 2) wrong.push('there was one run')
      const again = await rig.plan()
      const { todo, joined } = again
      if (todo + joined > 0) wrong.push(`the same backfill again started ${todo} and joined ${joined}`)
      wrong.push(...onceEach(rig), ...await violations(rig, { reference }))
      for (const worker of workers) await worker.drain()
      o.say(`${o.backend}: ${reports.length + 1} plans, ${wrong.length} violations`)
      return { faults: 2, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}

export const cancelled: Scenario = {
  name: 'cancelled',
  title: 'a run that is cancelled in mid-run leaves what another one wants, and can be planned again',
  backends: BACKENDS,
  async run(o) {
    const reference = await referenceFor(MONTHS)
    const archiveFaults = [{ latencyMs: 300, match: '/data/' }]
    const rig = await openRig({ backend: o.backend, months: MONTHS, archiveFaults, env: { DOWNLOAD_CONCURRENCY: '1' } })
    try {
      const worker = rig.worker()
      const all = await rig.plan()
      const half = await rig.plan({ symbols: [SYMBOLS[1]] })
      await until(async () => (await countOf(rig, 'verified')) >= 1, 60_000, 20)
      const plans = await rig.app.plans()
      const { cancelled: count, kept } = await plans.cancel(all.run?.id ?? '')
      const wrong = count > 0 && kept > 0 ? [] : [`cancelled ${count} and kept ${kept}`]
      const verified = async (): Promise<number> => (await plans.progress(half.run?.id ?? '')).states.verified
      const isDone = await until(async () => (await verified()) === MONTHS, 60_000, 100)
      if (!isDone) wrong.push('the other run did not come to its end')
      if ((await countOf(rig, 'cancelled')) === 0) wrong.push('nothing stayed cancelled')
      await rig.plan()
      wrong.push(...await violations(rig, { reference }))
      await worker.drain()
      o.say(`${o.backend}: cancelled ${count}, kept ${kept}, ${wrong.length} violations`)
      return { faults: 1, violations: wrong }
    } finally {
      await rig.close()
    }
  },
}

/** Every partition published by exactly one job. */
function onceEach(rig: Rig): string[] {
  const published = rig.workers.flatMap((worker) => worker.lines)
    .filter(({ event, stage, outcome }) => event === 'job' && stage === 'verify' && outcome === 'ok')
    .map((line) => line['partition'])
  return rig.sample.partitions.map(partitionKeyOf).flatMap((key) => {
    const count = published.filter((one) => one === key).length
    return count === 1 ? [] : [`${key} was published ${count} times`]
  })
}
