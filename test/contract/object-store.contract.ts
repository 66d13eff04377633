import { join } from 'node:path'
import { expect } from 'chai'
import { failingWith } from '../support/failing-with.js'
import { readingContract } from './object-store-reading.contract.js'
import { bytesOf, StoreOnTrial, winners, type OpenStore } from './store-on-trial.js'

/** A store to test: `open` gives an empty one each time. */
export type StoreUnderTest = { readonly name: string; readonly open: () => Promise<OpenStore> }

const KEY = 'spot-klines/btcusdt/1h/2024-01/data.parquet'
const OTHER_KEY = 'spot-klines/btcusdt/1h/2024-02/data.parquet'

/** What every object store promises. */
export function objectStoreContract(subject: StoreUnderTest): void {
  describe(`${subject.name}: ObjectStore contract`, () => {
    const t = new StoreOnTrial()
    beforeEach(() => t.begin(subject.open))
    afterEach(() => t.end())
    writingContract(t)
    readingContract(t)
  })
}

function writingContract(t: StoreOnTrial): void {
  describe('put, head and get', () => {
    it('give back the bytes, their number, one ETag and a present time', async () => {
      const before = Date.now()
      const written = await t.put(KEY, 'hello')
      expect(await t.read(KEY)).to.equal('hello')
      const info = await t.store.head(KEY)
      expect(info).to.include({ key: KEY, bytes: 5, etag: written.etag })
      expect(written).to.include({ key: KEY, bytes: 5 })
      expect(written.etag).to.be.a('string').and.not.equal('')
      expect(info?.lastModified.getTime()).to.be.within(before - 60_000, Date.now() + 60_000)
    })

    it('hold objects of no byte and of 10 MiB', async () => {
      const large = Buffer.alloc(10 * 1_048_576, 'candle')
      expect((await t.put('a/none', '')).bytes).to.equal(0)
      expect((await t.put('a/large', large)).bytes).to.equal(large.length)
      expect(await t.read('a/none')).to.equal('')
      expect((await bytesOf(await t.store.get({ key: 'a/large' }))).equals(large)).to.equal(true)
    })

    it('leave one object after two puts with one key, the later one', async () => {
      const first = await t.put(KEY, 'one')
      const second = await t.put(KEY, 'two')
      expect(await t.keys()).to.deep.equal([KEY])
      expect(await t.read(KEY)).to.equal('two')
      expect(second.etag).to.not.equal(first.etag)
    })

    it('change the ETag at each of many quick writes of the same length', async () => {
      const etags: string[] = []
      for (let n = 100; n < 130; n++) etags.push((await t.put(KEY, `v${n}`)).etag)
      expect(new Set(etags).size).to.equal(30)
    })

    it('hold unicode keys apart and give them back as they are', async () => {
      const key = 'spot-klines/币安人生usdt/1h/2025-10/data.parquet'
      await t.put(key, 'cn')
      expect(await t.keys('spot-klines/币')).to.deep.equal([key])
      expect(await t.read(key)).to.equal('cn')
    })

    it('say of a key without an object: head null, get OBJECT_ABSENT', async () => {
      await t.put(KEY, 'x')
      expect(await t.store.head(OTHER_KEY)).to.equal(null)
      await failingWith('OBJECT_ABSENT', t.store.get({ key: OTHER_KEY }))
      expect(await t.store.head('spot-klines/btcusdt'), 'a folder is not an object').to.equal(null)
      await failingWith('OBJECT_ABSENT', t.store.get({ key: 'spot-klines/btcusdt' }))
    })

    it('refuse a file whose bytes are not those of the digest, and leave what was there', async () => {
      await t.put(KEY, 'good')
      const { path } = await t.file('bad')
      const error = await failingWith('OBJECT_CORRUPT', t.store.put({ key: KEY, path, sha256Hex: 'a'.repeat(64) }))
      expect(error.facts).to.include({ wantHex: 'a'.repeat(64) })
      expect(await t.read(KEY)).to.equal('good')
      await failingWith('OBJECT_CORRUPT', t.store.put({ key: OTHER_KEY, path, sha256Hex: 'a'.repeat(64) }))
      expect(await t.keys()).to.deep.equal([KEY])
    })

    it('say STAGING_LOST of a local file that is gone', async () => {
      const path = join(t.scratch, 'gone')
      await failingWith('STAGING_LOST', t.store.put({ key: KEY, path, sha256Hex: 'a'.repeat(64) }))
      expect(await t.keys()).to.deep.equal([])
    })
  })

  describe('ranges', () => {
    it('give the bytes from start up to but without end, cut at the end of the object', async () => {
      await t.put(KEY, '0123456789')
      expect(await t.read(KEY, { range: { start: 2, end: 5 } })).to.equal('234')
      expect(await t.read(KEY, { range: { start: 0, end: 1 } })).to.equal('0')
      expect(await t.read(KEY, { range: { start: 8, end: 100 } })).to.equal('89')
    })

    it('are empty where start equals end or lies behind the object', async () => {
      await t.put(KEY, '0123456789')
      expect(await t.read(KEY, { range: { start: 3, end: 3 } })).to.equal('')
      expect(await t.read(KEY, { range: { start: 10, end: 20 } })).to.equal('')
    })

    it('are refused where they run backwards', async () => {
      await t.put(KEY, '0123456789')
      await failingWith('BAD_USAGE', t.store.get({ key: KEY, range: { start: 5, end: 2 } }))
    })
  })

  describe('conditions', () => {
    it('ifNoneMatch writes where there is nothing, and only there', async () => {
      await t.put(KEY, 'one', { condition: { ifNoneMatch: '*' } })
      await failingWith('PRECONDITION_FAILED', t.put(KEY, 'two', { condition: { ifNoneMatch: '*' } }))
      expect(await t.read(KEY)).to.equal('one')
    })

    it('ifMatch replaces the object it names, and no other', async () => {
      const first = await t.put(KEY, 'one')
      const second = await t.put(KEY, 'two', { condition: { ifMatch: first.etag } })
      expect(await t.read(KEY)).to.equal('two')
      await failingWith('PRECONDITION_FAILED', t.put(KEY, 'three', { condition: { ifMatch: first.etag } }))
      expect((await t.store.head(KEY))?.etag).to.equal(second.etag)
    })

    it('ifMatch writes nothing where there is no object', async () => {
      const { etag } = await t.put(KEY, 'one')
      await t.store.delete(KEY)
      await failingWith('PRECONDITION_FAILED', t.put(KEY, 'two', { condition: { ifMatch: etag } }))
      expect(await t.keys()).to.deep.equal([])
    })

    it('let exactly one of many writers through that ask for an empty place at once', async () => {
      const tries = Array.from({ length: 8 }, (_, n) => t.put(KEY, `writer ${n}`, { condition: { ifNoneMatch: '*' } }))
      const won = await winners(tries)
      expect(won).to.have.length(1)
      expect(await t.read(KEY)).to.equal(`writer ${won[0]}`)
    })

    it('let exactly one of many writers through that replace the same object at once', async () => {
      const { etag } = await t.put(KEY, 'first')
      const tries = Array.from({ length: 8 }, (_, n) => t.put(KEY, `writer ${n}`, { condition: { ifMatch: etag } }))
      const won = await winners(tries)
      expect(won).to.have.length(1)
      expect(await t.read(KEY)).to.equal(`writer ${won[0]}`)
    })

    it('hold for get: the object of the ETag, or PRECONDITION_FAILED', async () => {
      const first = await t.put(KEY, 'one')
      expect(await t.read(KEY, { ifMatch: first.etag, range: { start: 1, end: 3 } })).to.equal('ne')
      await t.put(KEY, 'two')
      await failingWith('PRECONDITION_FAILED', t.store.get({ key: KEY, ifMatch: first.etag }))
    })
  })

  describe('copy, move and delete', () => {
    it('copy leaves both, move only the target', async () => {
      await t.put(KEY, 'x')
      const copied = await t.store.copy({ from: KEY, to: OTHER_KEY })
      expect(copied).to.deep.equal(await t.store.head(OTHER_KEY))
      expect(await t.keys()).to.deep.equal([KEY, OTHER_KEY])
      const moved = await t.store.move({ from: OTHER_KEY, to: '_revisions/r.parquet' })
      expect(moved).to.deep.equal(await t.store.head('_revisions/r.parquet'))
      expect(await t.keys()).to.deep.equal(['_revisions/r.parquet', KEY])
      expect(await t.read('_revisions/r.parquet')).to.equal('x')
    })

    it('a copy stays as it is when its origin is replaced or deleted', async () => {
      await t.put(KEY, 'old')
      await t.store.copy({ from: KEY, to: OTHER_KEY })
      await t.put(KEY, 'new')
      expect(await t.read(OTHER_KEY)).to.equal('old')
      await t.store.delete(KEY)
      expect(await t.read(OTHER_KEY)).to.equal('old')
    })

    it('both replace what is there, unless a condition forbids it', async () => {
      for (const op of ['copy', 'move'] as const) {
        await t.put('from', 'new')
        const target = await t.put('to', 'old')
        const names = { from: 'from', to: 'to' }
        await failingWith('PRECONDITION_FAILED', t.store[op]({ ...names, condition: { ifNoneMatch: '*' } }))
        await failingWith('PRECONDITION_FAILED', t.store[op]({ ...names, condition: { ifMatch: 'stale' } }))
        expect(await t.read('to'), op).to.equal('old')
        expect(await t.read('from'), op).to.equal('new')
        await t.store[op]({ from: 'from', to: 'to', condition: { ifMatch: target.etag } })
        expect(await t.read('to'), op).to.equal('new')
        expect((await t.store.head('from')) === null, op).to.equal(op === 'move')
      }
    })

    it('both fill an empty place under ifNoneMatch', async () => {
      await t.put('from', 'x')
      await t.store.copy({ from: 'from', to: 'a', condition: { ifNoneMatch: '*' } })
      await t.store.move({ from: 'from', to: 'b', condition: { ifNoneMatch: '*' } })
      expect(await t.keys()).to.deep.equal(['a', 'b'])
    })

    it('both say OBJECT_ABSENT without an origin and leave the target', async () => {
      await t.put('to', 'x')
      await failingWith('OBJECT_ABSENT', t.store.copy({ from: 'none', to: 'to' }))
      await failingWith('OBJECT_ABSENT', t.store.move({ from: 'none', to: 'to' }))
      expect(await t.read('to')).to.equal('x')
    })

    it('let exactly one of many moves publish into an empty place', async () => {
      for (let n = 0; n < 6; n++) await t.put(`_incoming/${n}`, `writer ${n}`)
      const moves = Array.from({ length: 6 }, (_, n) =>
        t.store.move({ from: `_incoming/${n}`, to: KEY, condition: { ifNoneMatch: '*' } }),
      )
      const won = await winners(moves)
      expect(won).to.have.length(1)
      expect(await t.read(KEY)).to.equal(`writer ${won[0]}`)
      expect(await t.keys('_incoming/')).to.have.length(5)
    })

    it('refuse to move an object onto itself, and keep it', async () => {
      await t.put(KEY, 'x')
      await failingWith('PRECONDITION_FAILED', t.store.move({ from: KEY, to: KEY }))
      expect(await t.read(KEY)).to.equal('x')
    })

    it('delete says whether there was one', async () => {
      await t.put(KEY, 'x')
      await t.put(OTHER_KEY, 'y')
      expect(await t.store.delete(KEY)).to.equal(true)
      expect(await t.store.delete(KEY)).to.equal(false)
      expect(await t.keys()).to.deep.equal([OTHER_KEY])
    })

    it('puts and deletes of neighbours at once lose nothing', async () => {
      const names = Array.from({ length: 40 }, (_, n) => `deep/er/k${String(n).padStart(2, '0')}`)
      const churn = names.map(async (key, n) => {
        await t.put(key, 'x')
        if (n % 2 === 1) await t.store.delete(key)
      })
      await Promise.all(churn)
      expect(await t.keys('deep/')).to.deep.equal(names.filter((_, n) => n % 2 === 0))
    })
  })
}
