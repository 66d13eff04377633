import { expect } from 'chai'
import { S3_FAULTS } from '../../faults/s3/s3-faults.js'

describe('faults between here and S3', function () {
  this.timeout(240_000)
  for (const { name, title, full, run } of S3_FAULTS) {
    it(`${title} (${name})`, async () => {
      const count = Math.max(9, full / 10)
      const { faults, violations } = await run({ count, seed: 1 })
      expect(violations).to.deep.equal([])
      expect(faults).to.be.at.least(Math.floor(count * 0.3))
    })
  }
})
