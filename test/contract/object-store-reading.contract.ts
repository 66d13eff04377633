import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { failingWith } from '../support/failing-with.js'
import { all, bytesOf, type StoreOnTrial } from './store-on-trial.js'

const KEY = 'spot-klines/btcusdt/1h/2024-01/data.parquet'
const OTHER_KEY = 'spot-klines/btcusdt/1h/2024-02/data.parquet'

/** The part of the object store's contract about readers beside writers, listings and names. */
export function readingContract(t: StoreOnTrial): void {
  describe('readers and writers at once', () => {
    it('a reader that has opened an object sees all of it, also when it is replaced meanwhile', async () => {
      const old = Buffer.alloc(3 * 1_048_576, 'o')
      await t.put(KEY, old)
      const stream = await t.store.get({ key: KEY })
      const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
      const first = await chunks.next()
      await t.put(KEY, Buffer.alloc(3 * 1_048_576, 'n'))
      const seen = [first.value as Buffer]
      for (let step = await chunks.next(); !step.done; step = await chunks.next()) seen.push(step.value)
      expect(Buffer.concat(seen).equals(old)).to.equal(true)
      expect(await t.read(KEY, { range: { start: 0, end: 3 } })).to.equal('nnn')
    })

    it('readers during many replacements see one version whole each time', async () => {
      const version = (n: number): Buffer => Buffer.alloc(300_000, String(n % 10))
      await t.put(KEY, version(0))
      let writing = true
      const writer = (async () => {
        for (let n = 1; n <= 30; n++) await t.put(KEY, version(n))
      })().finally(() => (writing = false))
      let reads = 0
      while (writing || reads === 0) {
        const seen = await bytesOf(await t.store.get({ key: KEY }))
        expect(seen.length).to.equal(300_000)
        expect(seen.every((byte) => byte === seen[0])).to.equal(true)
        reads++
      }
      await writer
      expect(reads, 'reads that ran beside the writes').to.be.greaterThan(0)
    })

    it('a listing shows no unfinished write', async () => {
      const large = await t.file(Buffer.alloc(20 * 1_048_576, 'x'))
      let writing = true
      const writer = t.store.put({ key: 'large', ...large }).finally(() => (writing = false))
      let looks = 0
      while (writing) {
        for (const info of await all(t.store.list(''))) expect(info).to.include({ key: 'large', bytes: 20 * 1_048_576 })
        looks++
      }
      await writer
      expect(looks).to.be.greaterThan(0)
      expect(await t.keys()).to.deep.equal(['large'])
    })
  })

  describe('list', () => {
    it('gives keys in the byte order of whole keys, whatever the folders', async () => {
      const wanted = ['a-b', 'a/b', 'a/c/d', 'a/c-d', 'a0', 'ab', 'B', 'ä', '币', '\u{1F56F}', '\uFFFD']
      for (const key of wanted) await t.put(key, key)
      const sorted = wanted.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await t.keys()).to.deep.equal(sorted)
    })

    it('takes any beginning of a key as the prefix', async () => {
      for (const key of ['x/ab/1', 'x/ab/2', 'x/abc/1', 'x/b', 'y']) await t.put(key, 'v')
      expect(await t.keys('x/ab/')).to.deep.equal(['x/ab/1', 'x/ab/2'])
      expect(await t.keys('x/ab')).to.deep.equal(['x/ab/1', 'x/ab/2', 'x/abc/1'])
      expect(await t.keys('x/')).to.have.length(4)
      expect(await t.keys('x/b')).to.deep.equal(['x/b'])
      expect(await t.keys('none/')).to.deep.equal([])
      expect(await t.keys('y/')).to.deep.equal([])
    })

    it('says of each object what head says', async () => {
      await t.put('a/1', 'one')
      await t.put('a/2', 'three')
      for (const info of await all(t.store.list('a/'))) expect(info).to.deep.equal(await t.store.head(info.key))
    })

    it('gives more than a thousand keys, each once and in order', async function () {
      this.timeout(60_000)
      const body = await t.file('v')
      const wanted = Array.from({ length: 1_050 }, (_, n) => `many/${String(n % 7)}/${String(n).padStart(4, '0')}`)
      for (let at = 0; at < wanted.length; at += 50) {
        await Promise.all(wanted.slice(at, at + 50).map((key) => t.store.put({ key, ...body })))
      }
      expect(await t.keys('many/')).to.deep.equal(wanted.toSorted())
    })
  })

  describe('keys', () => {
    const bad = ['', '/', '/etc/passwd', '../x', 'a/../../x', 'a/..', './a', 'a//b', 'a/', 'a\0b', 'a\nb', '..\\x']
    bad.push('x'.repeat(256), Array.from({ length: 200 }, () => 'segment').join('/'))

    it('that would leave the store, or that not every store can hold, are refused by each method', async () => {
      const local = await t.file('x')
      await t.put('real', 'x')
      for (const key of bad) {
        await failingWith('BAD_PARTITION', () => t.store.put({ key, ...local }))
        await failingWith('BAD_PARTITION', () => t.store.head(key))
        await failingWith('BAD_PARTITION', () => t.store.get({ key }))
        await failingWith('BAD_PARTITION', () => t.store.delete(key))
        await failingWith('BAD_PARTITION', () => t.store.copy({ from: 'real', to: key }))
        await failingWith('BAD_PARTITION', () => t.store.move({ from: 'real', to: key }))
        await failingWith('BAD_PARTITION', () => t.store.copy({ from: key, to: 'other' }))
        await failingWith('BAD_PARTITION', () => t.store.materialise({ key, scratch: t.scratch }))
      }
      expect(await t.keys()).to.deep.equal(['real'])
    })

    it('are refused as prefixes that lead out, too', async () => {
      for (const prefix of ['../', '/', 'a/../', 'a//']) {
        await failingWith('BAD_PARTITION', () => all(t.store.list(prefix)))
      }
    })
  })

  describe('materialise', () => {
    it('gives a local file with the bytes of the object', async () => {
      await t.put(KEY, 'local')
      const path = await t.store.materialise({ key: KEY, scratch: t.scratch })
      expect(await readFile(path, 'utf8')).to.equal('local')
      await failingWith('OBJECT_ABSENT', t.store.materialise({ key: OTHER_KEY, scratch: t.scratch }))
    })
  })

  it('has a URL with a scheme and without credentials', () => {
    const url = new URL(t.store.url)
    expect(url.protocol).to.match(/^(file|s3):$/)
    expect(url.username + url.password).to.equal('')
  })
}
