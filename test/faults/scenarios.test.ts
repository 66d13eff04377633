import { expect } from 'chai'
import type { BackendName } from './rig.js'
import type { Outcome } from './scenario.js'
import { SCENARIOS } from './scenarios.js'

describe('faults', () => {
  for (const scenario of SCENARIOS) {
    const { name, title, backends } = scenario
    describe(name, () => {
      const outcomes = new Map<BackendName, Outcome>()

      // Both at once: most of their time is waiting for locks to run out.
      before(async function () {
        this.timeout(900_000)
        await Promise.all(backends.map(async (backend) => {
          outcomes.set(backend, await scenario.run({ backend, seed: 1, say: () => undefined }))
        }))
      })

      for (const backend of backends) {
        it(`${title} (${backend})`, () => {
          expect(outcomes.get(backend)?.violations).to.deep.equal([])
          expect(outcomes.get(backend)?.faults).to.be.greaterThan(0)
        })
      }
    })
  }
})
