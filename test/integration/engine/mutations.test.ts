import { expect } from 'chai'
import { runMutations } from '../../support/mutations.js'

describe('mutations of a good ZIP', function () {
  this.timeout(300_000)

  it('500 of them never end as a partition with other rows than an oracle reads', async () => {
    const seed = 20_240_101
    const report = await runMutations({ count: 500, seed })
    expect(report.violations, `seed ${seed}`).to.deep.equal([])
    expect(report.converted, 'some must convert, or nothing was compared').to.be.above(20)
    expect(report.refused['CORRUPT'], 'some must be refused for their rows').to.be.above(50)
    expect(report.refused['ZIP_CORRUPT'], 'some must be refused for their ZIP').to.be.above(50)
  })
})
