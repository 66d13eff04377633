import { readdir, readFile, symlink, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { openFileQuarantine } from '../../../../src/adapters/file-store/file-quarantine.js'
import type { Quarantine } from '../../../../src/domain/ports/quarantine.js'
import { failingWith } from '../../../support/failing-with.js'
import { describeWithMounts, mountSmallDisk } from '../../../support/small-disk.js'
import { tempFolder } from '../../../support/temp-folder.js'

const FOLDER = 'spot-klines/btcusdt/1h/2024-01/g1-aaaa'
const OTHER = 'spot-klines/btcusdt/1h/2024-02/g1-bbbb'

describe('a file quarantine', () => {
  let home: { path: string; remove(): Promise<void> }
  let quarantine: Quarantine

  beforeEach(async () => {
    home = await tempFolder()
    quarantine = await openFileQuarantine({ url: join(home.path, 'quarantine'), create: true, maxBytes: 100 })
  })
  afterEach(() => home.remove())

  const file = async (name: string, bytes: number): Promise<{ name: string; path: string }> => {
    const path = join(home.path, name)
    await writeFile(path, 'x'.repeat(bytes))
    return { name, path }
  }

  it('keeps copies, says where, and counts their bytes', async () => {
    const files = [await file('a.zip', 10), await file('report.json', 5)]
    const kept = await quarantine.keep({ folder: FOLDER, files })
    expect(kept).to.include({ kept: true, bytes: 15 })
    expect(await readdir(kept.path ?? '')).to.have.members(['a.zip', 'report.json'])
    expect(await quarantine.bytes()).to.equal(15)
    expect(await readFile(join(home.path, 'a.zip'), 'utf8'), 'the given file stays').to.have.length(10)
  })

  it('refuses what would pass its cap, says so, and removes nothing to make room', async () => {
    await quarantine.keep({ folder: FOLDER, files: [await file('a.zip', 60)] })
    const refused = await quarantine.keep({ folder: OTHER, files: [await file('b.zip', 60)] })
    expect(refused).to.deep.equal({ kept: false, path: null, bytes: 60 })
    expect(await quarantine.bytes()).to.equal(60)
    await quarantine.remove(FOLDER)
    expect(await quarantine.keep({ folder: OTHER, files: [await file('b.zip', 60)] })).to.include({ kept: true })
  })

  it('lets no two partitions in at once where there is room for one', async () => {
    const files = [await file('a.zip', 60)]
    const both = await Promise.all([FOLDER, OTHER].map((folder) => quarantine.keep({ folder, files })))
    expect(both.filter((k) => k.kept)).to.have.length(1)
    expect(await quarantine.bytes()).to.equal(60)
  })

  it('replaces what it kept for a folder, and counts the old files as gone', async () => {
    await quarantine.keep({ folder: FOLDER, files: [await file('a.zip', 60)] })
    const again = await quarantine.keep({ folder: FOLDER, files: [await file('b.zip', 70)] })
    expect(again.kept).to.equal(true)
    expect(await readdir(again.path ?? '')).to.deep.equal(['b.zip'])
    expect(await quarantine.bytes()).to.equal(70)
  })

  it('removes a folder with its empty parents, and does nothing where there is none', async () => {
    await quarantine.keep({ folder: FOLDER, files: [await file('a.zip', 1)] })
    await quarantine.remove(FOLDER)
    await quarantine.remove(FOLDER)
    expect(await readdir(join(home.path, 'quarantine'))).to.deep.equal(['.tmp'])
  })

  it('refuses names and folders that lead out, and links', async () => {
    const { path } = await file('a.zip', 1)
    for (const name of ['../x', 'a/b', '..', '', '/etc/x']) {
      await failingWith('BAD_PARTITION', quarantine.keep({ folder: FOLDER, files: [{ name, path }] }))
    }
    await failingWith('BAD_PARTITION', quarantine.remove('../staging'))
    await mkdir(join(home.path, 'outside', 'x'), { recursive: true })
    await symlink(join(home.path, 'outside'), join(home.path, 'quarantine', 'out'))
    await failingWith('STORE_UNREACHABLE', quarantine.remove('out/x'))
    expect(await readdir(join(home.path, 'outside'))).to.deep.equal(['x'])
  })

  describeWithMounts('a file quarantine on a small disk', import.meta.url, () => {
    it('says DISK_FULL and leaves no part of a partition', async () => {
      const disk = await mountSmallDisk(512)
      try {
        const small = await openFileQuarantine({ url: disk.path, maxBytes: 10_000_000 })
        const files = [await file('a.zip', 100_000), await file('b.zip', 600_000)]
        const error = await failingWith('DISK_FULL', small.keep({ folder: FOLDER, files }))
        expect(error.facts).to.include({ errno: 'ENOSPC' })
        expect(await small.bytes()).to.equal(0)
      } finally {
        await disk.unmount()
      }
    })
  })
})
