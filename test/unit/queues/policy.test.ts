import { expect } from 'chai'
import fc from 'fast-check'
import { JOB_STAGES } from '../../../src/jobs/stages.js'
import {
  backoffMs, DEFAULT_LOCK_MS, KEEP, locksOf, MAX_STALLED_COUNT, MAX_STARTED_ATTEMPTS, POLICY, PRIORITY,
} from '../../../src/queues/policy.js'

describe('queue policy', () => {
  it('has a row for every stage: some attempts, a base below its cap, at least one at a time', () => {
    expect(Object.keys(POLICY)).to.deep.equal([...JOB_STAGES])
    for (const stage of JOB_STAGES) {
      const { attempts, backoffBaseMs, backoffCapMs, concurrency } = POLICY[stage]
      expect(attempts, stage).to.be.within(2, 10)
      expect(backoffBaseMs, stage).to.be.lessThan(backoffCapMs)
      expect(backoffCapMs, stage).to.be.at.most(300_000)
      expect(concurrency, stage).to.be.at.least(1)
    }
  })

  for (const [failures, least, most] of [[1, 2_500, 5_000], [2, 5_000, 10_000], [4, 20_000, 40_000], [6, 80_000, 160_000]] as const) {
    it(`waits ${least} to ${most} ms after ${failures} failures of a download`, () => {
      expect(backoffMs(POLICY.download, failures, () => 0)).to.equal(least)
      expect(backoffMs(POLICY.download, failures, () => 1)).to.equal(most)
    })
  }

  it('never waits longer than the cap nor less than half of the first wait, however often a job failed', () => {
    fc.assert(fc.property(fc.constantFrom(...JOB_STAGES), fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (stage, failures, random) => {
      const { backoffBaseMs, backoffCapMs } = POLICY[stage]
      const ms = backoffMs(POLICY[stage], failures, () => random)
      return ms >= backoffBaseMs / 2 && ms <= backoffCapMs
    }))
  })

  it('puts incremental work before all else, then retries, then the backfill', () => {
    expect(PRIORITY).to.deep.equal({ incremental: 0, retry: 5, backfill: 10 })
  })

  it('finds a dead worker within its lock and a third of it', () => {
    expect(locksOf(DEFAULT_LOCK_MS)).to.deep.equal({ lockDuration: 15_000, stalledInterval: 5_000 })
    expect(locksOf(1)).to.deep.equal({ lockDuration: 1, stalledInterval: 1 })
  })

  it('bounds stalls, starts and what is kept', () => {
    expect(MAX_STALLED_COUNT).to.equal(10)
    expect(MAX_STARTED_ATTEMPTS, 'a year of starts every 30 s').to.be.greaterThan((365 * 24 * 3600) / 30)
    expect(KEEP.completed.count).to.be.within(1, 1_000)
    expect(KEEP.failed.count).to.be.within(1, 10_000)
    expect(KEEP.failed.age).to.be.greaterThan(KEEP.completed.age)
  })
})
