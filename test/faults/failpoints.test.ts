import { expect } from 'chai'
import { STAGE_FAILPOINTS } from '../../src/domain/failpoints.js'
import type { Kill } from './kill-at.js'
import { killCampaign } from './kill-campaign.js'
import { referenceFor } from './reference.js'
import { BACKENDS, type BackendName } from './rig.js'
import type { Outcome } from './scenario.js'
import { KILL_MONTHS } from './scenarios/kills.js'

describe('faults: kill -9 at every failpoint', () => {
  const outcomes = new Map<BackendName, Outcome & { readonly kills: readonly Kill[] }>()

  before(async function () {
    this.timeout(1_500_000)
    const reference = await referenceFor(KILL_MONTHS)
    await Promise.all(BACKENDS.map(async (backend) => {
      const options = { backend, seed: 1, count: STAGE_FAILPOINTS.length, months: KILL_MONTHS, reference }
      outcomes.set(backend, await killCampaign(options))
    }))
  })

  for (const backend of BACKENDS) {
    describe(`over ${backend} queues`, () => {
      for (const point of STAGE_FAILPOINTS) {
        it(`a worker dies at ${point}`, () => {
          expect(outcomes.get(backend)?.kills.filter((kill) => kill.point === point)).to.have.length(1)
        })
      }

      it('and afterwards everything is verified once, with the bytes of an undisturbed run, at no attempt', () => {
        expect(outcomes.get(backend)?.violations).to.deep.equal([])
      })
    })
  }
})
