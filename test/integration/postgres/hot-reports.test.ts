import { expect } from 'chai'
import { newPartition, openFresh, type Opened } from './catalog-fixture.js'

describe('reports of migrations', () => {
  let catalog: Opened

  before(async () => {
    catalog = await openFresh()
  })

  after(() => catalog.drop())

  it('that name differences stay, however many come later that name none', async () => {
    const partition = newPartition()
    const report = { partition, etag: 'e1', hotRows: 9, warmRows: 9, columns: [], differences: [] }
    for (let n = 1; n <= 22; n++) await catalog.migration.record({ ...report, differing: n })
    for (let n = 1; n <= 22; n++) await catalog.migration.record({ ...report, differing: 0 })
    const kept = (await catalog.migration.reports({ symbols: [partition.symbol] })).map(({ differing }) => differing)
    expect(kept).to.deep.equal([0, 0, ...Array.from({ length: 20 }, (_, n) => 22 - n)])
  })

  it('are told apart by what was there before', async () => {
    const [partition, other] = [newPartition(), newPartition()]
    const report = { partition, etag: 'e1', hotRows: 9, warmRows: 9, columns: [], differences: [] }
    await catalog.migration.record({ ...report, differing: 1 })
    const before = await catalog.migration.newestReport()
    for (const one of [partition, other]) await catalog.migration.record({ ...report, partition: one, differing: 2 })
    const found = await catalog.migration.reports({ symbols: [partition.symbol], months: [partition.month] }, before)
    expect(found.map(({ differing, partition: at }) => [differing, at.symbol])).to.deep.equal([[2, partition.symbol]])
    expect(found[0]?.id).to.be.greaterThan(before)
  })
})
