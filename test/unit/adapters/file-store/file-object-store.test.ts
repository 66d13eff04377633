import { createHash } from 'node:crypto'
import { access, link, mkdir, readdir, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { openFileObjectStore, type FileObjectStore } from '../../../../src/adapters/file-store/file-object-store.js'
import { failingWith } from '../../../support/failing-with.js'
import { describeWithMounts, mountSmallDisk, type SmallDisk } from '../../../support/small-disk.js'
import { tempFolder } from '../../../support/temp-folder.js'

describe('a file object store', () => {
  let home: { path: string; remove(): Promise<void> }
  let root: string
  let store: FileObjectStore

  beforeEach(async () => {
    home = await tempFolder()
    root = join(home.path, 'lake')
    store = await openFileObjectStore({ url: root, create: true })
  })
  afterEach(() => home.remove())

  const file = async (content: string | Buffer): Promise<{ path: string; sha256Hex: string }> => {
    const path = join(home.path, 'local')
    await writeFile(path, content)
    return { path, sha256Hex: createHash('sha256').update(content).digest('hex') }
  }

  it('takes a path or a file URL and states itself as a URL', async () => {
    const byUrl = await openFileObjectStore({ url: pathToFileURL(root).href })
    expect(byUrl.url).to.equal(store.url).and.equal(pathToFileURL(root).href)
    await failingWith('BAD_CONFIG', openFileObjectStore({ url: 's3://bucket/lake' }))
  })

  it('does not make its folder unless told so: a disk may not be mounted yet', async () => {
    const error = await failingWith('STORE_UNREACHABLE', openFileObjectStore({ url: join(home.path, 'none') }))
    expect(error.do).to.include('mount')
    await failingWith('STORE_UNREACHABLE', openFileObjectStore({ url: (await file('x')).path }))
  })

  it('tells a folder that went away from an empty one, and does not make it again', async () => {
    await store.put({ key: 'a/b', ...(await file('x')) })
    await rename(root, `${root}-elsewhere`)
    await failingWith('STORE_UNREACHABLE', store.head('a/b'))
    await failingWith('STORE_UNREACHABLE', store.get({ key: 'a/b' }))
    await failingWith('STORE_UNREACHABLE', store.delete('a/b'))
    await failingWith('STORE_UNREACHABLE', store.list('')[Symbol.asyncIterator]().next())
    await failingWith('STORE_UNREACHABLE', store.put({ key: 'a/b', ...(await file('x')) }))
    expect(await access(root).then(() => 'there', () => 'gone')).to.equal('gone')
  })

  it('removes the folders that a delete or a move leaves empty, up to its root', async () => {
    await store.put({ key: 'a/b/c/one', ...(await file('x')) })
    await store.put({ key: 'a/two', ...(await file('x')) })
    await store.delete('a/b/c/one')
    expect(await readdir(join(root, 'a'))).to.deep.equal(['two'])
    await store.move({ from: 'a/two', to: 'z/two' })
    expect((await readdir(root)).sort()).to.deep.equal(['.tmp', 'z'])
    await store.delete('z/two')
    expect((await stat(root)).isDirectory()).to.equal(true)
  })

  it('passes over links and folders, in listings and by name', async () => {
    await writeFile(join(home.path, 'secret'), 'x')
    await symlink(join(home.path, 'secret'), join(root, 'link'))
    await symlink(home.path, join(root, 'out'))
    await mkdir(join(root, 'folder'))
    const seen: string[] = []
    for await (const { key } of store.list('')) seen.push(key)
    expect(seen).to.deep.equal([])
    expect(await store.head('link')).to.equal(null)
    await failingWith('OBJECT_ABSENT', store.get({ key: 'link' }))
    expect(await store.delete('link')).to.equal(false)
  })

  it('keeps unfinished writes out of reach of keys and listings, and sweeps those that are a day old', async () => {
    await store.put({ key: 'a', ...(await file('x')) })
    const [old, young] = [join(root, '.tmp', 'old.part'), join(root, '.tmp', 'young.part')]
    await writeFile(old, 'x')
    await writeFile(young, 'x')
    const yesterday = Date.now() / 1_000 - 90_000
    await utimes(old, yesterday, yesterday)
    const seen: string[] = []
    for (const prefix of ['', '.tmp', '.tmp/']) for await (const { key } of store.list(prefix)) seen.push(key)
    expect(seen).to.deep.equal(['a'])
    await failingWith('BAD_PARTITION', () => store.head('.tmp/young.part'))
    expect(await store.sweep()).to.equal(1)
    expect(await readdir(join(root, '.tmp'))).to.deep.equal(['young.part'])
  })

  it('finishes a move that died after the target had its name and before the origin lost it', async () => {
    const info = await store.put({ key: 'in', ...(await file('x')) })
    await link(join(root, 'in'), join(root, 'out'))
    const moved = await store.move({ from: 'in', to: 'out' })
    expect(moved).to.include({ key: 'out', etag: info.etag })
    expect(await store.head('in')).to.equal(null)
  })

  it('leaves nothing behind in its temporary folder, whatever a write ends with', async () => {
    const { path, sha256Hex } = await file('x')
    const { etag } = await store.put({ key: 'a', path, sha256Hex })
    await failingWith('OBJECT_CORRUPT', store.put({ key: 'a', path, sha256Hex: 'b'.repeat(64) }))
    await failingWith('PRECONDITION_FAILED', store.put({ key: 'a', path, sha256Hex, condition: { ifNoneMatch: '*' } }))
    const ifMatch = `${etag}x`
    await failingWith('PRECONDITION_FAILED', store.put({ key: 'a', path, sha256Hex, condition: { ifMatch } }))
    await failingWith('OBJECT_ABSENT', store.copy({ from: 'none', to: 'a' }))
    expect(await readdir(join(root, '.tmp'))).to.deep.equal([])
  })

  it('says STORE_UNREACHABLE where a file is in the way of a folder', async () => {
    await store.put({ key: 'a', ...(await file('x')) })
    const error = await failingWith('STORE_UNREACHABLE', store.put({ key: 'a/b', ...(await file('x')) }))
    expect(error.facts['errno']).to.be.oneOf(['ENOTDIR', 'EEXIST'])
    expect(await store.head('a')).to.include({ bytes: 1 })
  })

  describeWithMounts('a file object store on a small disk', import.meta.url, () => {
    let disk: SmallDisk
    let small: FileObjectStore

    beforeEach(async () => {
      disk = await mountSmallDisk(1_024)
      small = await openFileObjectStore({ url: disk.path })
    })
    afterEach(() => disk.unmount())

    it('says DISK_FULL, keeps what was there, and goes on once there is room', async () => {
      const half = await file(Buffer.alloc(600_000, 'x'))
      await small.put({ key: 'one', ...half })
      const error = await failingWith('DISK_FULL', small.put({ key: 'two', ...half }))
      expect(error.facts).to.include({ errno: 'ENOSPC' })
      await failingWith('DISK_FULL', small.copy({ from: 'one', to: 'two' }))
      expect(await readdir(disk.path)).to.have.members(['.tmp', 'one'])
      expect(await readdir(join(disk.path, '.tmp'))).to.deep.equal([])
      await small.delete('one')
      expect(await small.put({ key: 'two', ...half })).to.include({ bytes: 600_000 })
    })

    it('says what to do about a disk that is read-only, and still reads from it', async () => {
      const local = await file('x')
      await small.put({ key: 'one', ...local })
      await disk.readOnly()
      const error = await failingWith('STORE_UNREACHABLE', small.put({ key: 'two', ...local }))
      expect(error.facts).to.include({ errno: 'EROFS' })
      expect(error.do).to.include('writable')
      await failingWith('STORE_UNREACHABLE', small.delete('one'))
      await failingWith('STORE_UNREACHABLE', small.move({ from: 'one', to: 'two' }))
      const reopened = await openFileObjectStore({ url: disk.path })
      expect(await reopened.head('one')).to.include({ bytes: 1 })
      await rm(local.path)
    })
  })
})
