import { expect } from 'chai'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openFileObjectStore } from '../../../src/adapters/file-store/file-object-store.js'
import { markerOf, markerText } from '../../../src/domain/marker.js'
import { MARKER } from '../../../src/domain/names.js'
import { moveLake } from '../../../src/workers/move-lake.js'
import { failingWith } from '../../support/failing-with.js'
import { tempFolder } from '../../support/temp-folder.js'
import { openFresh, type Opened } from '../postgres/catalog-fixture.js'

describe('a lake that was moved', () => {
  let catalog: Opened
  let folder: Awaited<ReturnType<typeof tempFolder>>

  before(async () => {
    catalog = await openFresh()
    folder = await tempFolder()
  })
  after(async () => {
    await catalog.drop()
    await folder.remove()
  })

  it('is not taken while a worker lives, by the clock of the database; one that is lost does not count', async () => {
    const { keeper } = catalog
    const lake = await openFileObjectStore({ url: join(folder.path, 'to'), create: true })
    await keeper.adoptLake({ url: 'file:///srv/from', numericType: 'double' })
    await keeper.heartbeat({ id: 'w1', host: 'there', pid: 7, stages: ['verify'], doing: [] })
    const moved = () => moveLake({ keeper, lake, url: lake.url }, { dryRun: false })
    await catalog.pool.query(`update workers set seen_at = now() - interval '15 seconds'`)
    const refused = await failingWith('LAKE_MISMATCH', moved())
    expect(refused.do).to.equal('stop them first, e.g. process 7 on there')
    await catalog.pool.query(`update workers set seen_at = now() - interval '21 seconds'`)
    const mark = join(folder.path, 'to', MARKER)
    await writeFile(mark, markerText(markerOf({ catalogId: 'another', numericType: 'double' })))
    expect((await failingWith('LAKE_MISMATCH', moved())).message).to.include('is of catalog another')
    const catalogId = (await keeper.lake())?.catalogId ?? ''
    await writeFile(mark, markerText(markerOf({ catalogId, numericType: 'double' }))) // copied with the lake
    expect(await moved()).to.include({ from: 'file:///srv/from', looked: 0 })
    expect((await keeper.lake())?.url).to.equal(lake.url)
  })
})
