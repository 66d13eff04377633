import { expect } from 'chai'
import type { Kill } from './kill-at.js'
import { MIGRATION_POINTS, migrateCampaign } from './migrate-campaign.js'
import { BACKENDS, type BackendName } from './rig.js'
import type { Outcome } from './scenario.js'

describe('faults: kill -9 while hot rows are migrated', () => {
  const outcomes = new Map<BackendName, Outcome & { readonly kills: readonly Kill[] }>()

  before(async function () {
    this.timeout(900_000)
    await Promise.all(BACKENDS.map(async (backend) => {
      outcomes.set(backend, await migrateCampaign({ backend, seed: 1, count: MIGRATION_POINTS.length }))
    }))
  })

  for (const backend of BACKENDS) {
    describe(`over ${backend} queues`, () => {
      for (const point of MIGRATION_POINTS) {
        it(`a worker dies at ${point}`, () => {
          expect(outcomes.get(backend)?.kills.filter((kill) => kill.point === point)).to.have.length(1)
        })
      }

      it('and a reader sees every row once, as it was last written, at every instant', () => {
        expect(outcomes.get(backend)?.violations).to.deep.equal([])
      })
    })
  }
})
