import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { openFileStaging } from '../../../../src/adapters/file-store/file-staging.js'
import type { Staging } from '../../../../src/domain/ports/staging.js'
import { failingWith } from '../../../support/failing-with.js'
import { describeWithMounts, mountSmallDisk, type SmallDisk } from '../../../support/small-disk.js'
import { tempFolder } from '../../../support/temp-folder.js'

const FOLDER = 'spot-klines/btcusdt/1h/2024-01/g1-aaaa'

describe('a file staging', () => {
  let home: { path: string; remove(): Promise<void> }
  let root: string
  let staging: Staging

  beforeEach(async () => {
    home = await tempFolder()
    root = join(home.path, 'staging')
    staging = await openFileStaging({ url: root, create: true })
  })
  afterEach(() => home.remove())

  it('leaves no empty folder behind a cleared execution', async () => {
    await staging.scratch(FOLDER)
    await staging.clear(FOLDER)
    expect(await readdir(root)).to.deep.equal([])
  })

  it('keeps by renaming: the inode of the scratch file is that of the staged one', async () => {
    const path = join(await staging.scratch(FOLDER), 'f')
    await writeFile(path, 'x')
    const { ino } = await stat(path)
    const kept = await staging.keep({ key: `${FOLDER}/f`, path, sha256Hex: '' })
    expect((await stat(await staging.open(kept, ''))).ino).to.equal(ino)
  })

  it('does not follow a link that leads out of its folder', async () => {
    const outside = join(home.path, 'outside')
    await mkdir(join(outside, 'x'), { recursive: true })
    await writeFile(join(outside, 'x', 'precious'), 'x')
    await symlink(outside, join(root, 'spot-klines'))
    await failingWith('STORE_UNREACHABLE', staging.clear('spot-klines/x'))
    await failingWith('STORE_UNREACHABLE', staging.scratch('spot-klines/y'))
    const path = join(home.path, 'f')
    await writeFile(path, 'x')
    await failingWith('STORE_UNREACHABLE', staging.keep({ key: 'spot-klines/x/f', path, sha256Hex: '' }))
    expect(await readdir(join(outside, 'x'))).to.deep.equal(['precious'])
    expect(await readdir(outside)).to.deep.equal(['x'])
  })

  it('removes a link in a cleared folder and not what it leads to', async () => {
    const outside = join(home.path, 'outside')
    await mkdir(outside)
    await writeFile(join(outside, 'precious'), 'x')
    await symlink(outside, join(await staging.scratch(FOLDER), 'link'))
    await staging.clear(FOLDER)
    expect(await readFile(join(outside, 'precious'), 'utf8')).to.equal('x')
    expect(await readdir(root)).to.deep.equal([])
  })

  it('is not empty but unreachable when its folder goes away', async () => {
    const kept = { key: `${FOLDER}/f`, bytes: 1, sha256Hex: '' }
    await rm(root, { recursive: true })
    await failingWith('STORE_UNREACHABLE', staging.open(kept, ''))
    await failingWith('STORE_UNREACHABLE', staging.scratch(FOLDER))
    await failingWith('STORE_UNREACHABLE', staging.freeBytes())
  })

  describeWithMounts('a file staging beside a small disk', import.meta.url, () => {
    let disk: SmallDisk

    beforeEach(async () => {
      disk = await mountSmallDisk(1_024)
    })
    afterEach(() => disk.unmount())

    it('copies a finished file that lies on another disk, and says DISK_FULL where it does not fit', async () => {
      const small = await openFileStaging({ url: disk.path })
      const path = join(home.path, 'f')
      await writeFile(path, Buffer.alloc(600_000, 'x'))
      const kept = await small.keep({ key: `${FOLDER}/one`, path, sha256Hex: '' })
      expect((await stat(await small.open(kept, ''))).size).to.equal(600_000)
      expect(await readdir(home.path), 'the scratch file is gone').to.deep.equal(['staging'])
      await writeFile(path, Buffer.alloc(600_000, 'x'))
      const error = await failingWith('DISK_FULL', small.keep({ key: `${FOLDER}/two`, path, sha256Hex: '' }))
      expect(error.facts).to.include({ errno: 'ENOSPC' })
      expect(await readdir(join(disk.path, FOLDER))).to.deep.equal(['one'])
      expect(await readdir(join(disk.path, '.tmp'))).to.deep.equal([])
    })

    it('counts the free bytes of the disk that it lies on', async () => {
      const small = await openFileStaging({ url: disk.path })
      const before = (await small.freeBytes()) ?? 0
      expect(before).to.be.within(1, 1_048_576)
      await writeFile(join(await small.scratch(FOLDER), 'f'), Buffer.alloc(409_600))
      expect(before - ((await small.freeBytes()) ?? 0)).to.be.at.least(409_600)
    })
  })
})
