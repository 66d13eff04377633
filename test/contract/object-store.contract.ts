import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { expect } from 'chai'
import type { ObjectInfo, ObjectStore } from '../../src/domain/ports/object-store.js'
import { failingWith } from '../support/failing-with.js'
import { tempFolder } from '../support/temp-folder.js'

/** A store to test: `open` gives an empty one each time. */
export type StoreUnderTest = { readonly name: string; open(): Promise<OpenStore> }
type OpenStore = { readonly store: ObjectStore; readonly close: () => Promise<void> }

const TOKEN_KEY = 'spot-klines/btcusdt/1h/2024-01/data.parquet'
const OTHER_KEY = 'spot-klines/btcusdt/1h/2024-02/data.parquet'

/** What every object store promises. */
export function objectStoreContract(subject: StoreUnderTest): void {
  describe(`${subject.name}: ObjectStore contract`, () => {
    let store: ObjectStore
    let close: () => Promise<void>
    let scratch: { path: string; remove(): Promise<void> }
    let files = 0

    beforeEach(async () => {
      ;({ store, close } = await subject.open())
      scratch = await tempFolder()
    })
    afterEach(async () => {
      await close()
      await scratch.remove()
    })

    const file = async (content: string | Buffer): Promise<{ path: string; sha256Hex: string }> => {
      const path = join(scratch.path, `f${files++}`)
      await writeFile(path, content)
      return { path, sha256Hex: createHash('sha256').update(content).digest('hex') }
    }
    type Extra = Omit<Parameters<ObjectStore['put']>[0], 'key' | 'path' | 'sha256Hex'>
    const put = async (key: string, content: string | Buffer, more: Extra = {}): Promise<ObjectInfo> =>
      store.put({ key, ...(await file(content)), ...more })
    const read = async (key: string, more: Omit<Parameters<ObjectStore['get']>[0], 'key'> = {}): Promise<string> =>
      (await bytesOf(await store.get({ key, ...more }))).toString('utf8')
    const keys = async (prefix = ''): Promise<string[]> => (await all(store.list(prefix))).map((o) => o.key)

    describe('put, head and get', () => {
      it('give back the bytes, their number, one ETag and a present time', async () => {
        const before = Date.now()
        const info = await put(TOKEN_KEY, 'hello')
        expect(await read(TOKEN_KEY)).to.equal('hello')
        expect(await store.head(TOKEN_KEY)).to.deep.equal(info)
        expect(info).to.include({ key: TOKEN_KEY, bytes: 5 })
        expect(info.etag).to.be.a('string').and.not.equal('')
        expect(info.lastModified.getTime()).to.be.within(before - 60_000, Date.now() + 60_000)
      })

      it('hold objects of no byte and of 10 MiB', async () => {
        const large = Buffer.alloc(10 * 1_048_576, 'candle')
        expect((await put('a/none', '')).bytes).to.equal(0)
        expect((await put('a/large', large)).bytes).to.equal(large.length)
        expect(await read('a/none')).to.equal('')
        expect((await bytesOf(await store.get({ key: 'a/large' }))).equals(large)).to.equal(true)
      })

      it('leave one object after two puts with one key, the later one', async () => {
        const first = await put(TOKEN_KEY, 'one')
        const second = await put(TOKEN_KEY, 'two')
        expect(await keys()).to.deep.equal([TOKEN_KEY])
        expect(await read(TOKEN_KEY)).to.equal('two')
        expect(second.etag).to.not.equal(first.etag)
      })

      it('change the ETag at each of many quick writes of the same length', async () => {
        const etags: string[] = []
        for (let n = 100; n < 130; n++) etags.push((await put(TOKEN_KEY, `v${n}`)).etag)
        expect(new Set(etags).size).to.equal(30)
      })

      it('hold unicode keys apart and give them back as they are', async () => {
        const key = 'spot-klines/币安人生usdt/1h/2025-10/data.parquet'
        await put(key, 'cn')
        expect(await keys('spot-klines/币')).to.deep.equal([key])
        expect(await read(key)).to.equal('cn')
      })

      it('say of a key without an object: head null, get OBJECT_ABSENT', async () => {
        await put(TOKEN_KEY, 'x')
        expect(await store.head(OTHER_KEY)).to.equal(null)
        await failingWith('OBJECT_ABSENT', store.get({ key: OTHER_KEY }))
        expect(await store.head('spot-klines/btcusdt'), 'a folder is not an object').to.equal(null)
        await failingWith('OBJECT_ABSENT', store.get({ key: 'spot-klines/btcusdt' }))
      })

      it('refuse a file whose bytes are not those of the digest, and leave what was there', async () => {
        await put(TOKEN_KEY, 'good')
        const { path } = await file('bad')
        const error = await failingWith('OBJECT_CORRUPT', store.put({ key: TOKEN_KEY, path, sha256Hex: 'a'.repeat(64) }))
        expect(error.facts).to.include({ wantHex: 'a'.repeat(64) })
        expect(await read(TOKEN_KEY)).to.equal('good')
        await failingWith('OBJECT_CORRUPT', store.put({ key: OTHER_KEY, path, sha256Hex: 'a'.repeat(64) }))
        expect(await keys()).to.deep.equal([TOKEN_KEY])
      })

      it('say STAGING_LOST of a local file that is gone', async () => {
        const path = join(scratch.path, 'gone')
        await failingWith('STAGING_LOST', store.put({ key: TOKEN_KEY, path, sha256Hex: 'a'.repeat(64) }))
        expect(await keys()).to.deep.equal([])
      })
    })

    describe('ranges', () => {
      it('give the bytes from start up to but without end, cut at the end of the object', async () => {
        await put(TOKEN_KEY, '0123456789')
        expect(await read(TOKEN_KEY, { range: { start: 2, end: 5 } })).to.equal('234')
        expect(await read(TOKEN_KEY, { range: { start: 0, end: 1 } })).to.equal('0')
        expect(await read(TOKEN_KEY, { range: { start: 8, end: 100 } })).to.equal('89')
      })

      it('are empty where start equals end or lies behind the object', async () => {
        await put(TOKEN_KEY, '0123456789')
        expect(await read(TOKEN_KEY, { range: { start: 3, end: 3 } })).to.equal('')
        expect(await read(TOKEN_KEY, { range: { start: 10, end: 20 } })).to.equal('')
      })

      it('are refused where they run backwards', async () => {
        await put(TOKEN_KEY, '0123456789')
        await failingWith('BAD_USAGE', store.get({ key: TOKEN_KEY, range: { start: 5, end: 2 } }))
      })
    })

    describe('conditions', () => {
      it('ifNoneMatch writes where there is nothing, and only there', async () => {
        await put(TOKEN_KEY, 'one', { condition: { ifNoneMatch: '*' } })
        await failingWith('PRECONDITION_FAILED', put(TOKEN_KEY, 'two', { condition: { ifNoneMatch: '*' } }))
        expect(await read(TOKEN_KEY)).to.equal('one')
      })

      it('ifMatch replaces the object it names, and no other', async () => {
        const first = await put(TOKEN_KEY, 'one')
        const second = await put(TOKEN_KEY, 'two', { condition: { ifMatch: first.etag } })
        expect(await read(TOKEN_KEY)).to.equal('two')
        await failingWith('PRECONDITION_FAILED', put(TOKEN_KEY, 'three', { condition: { ifMatch: first.etag } }))
        expect((await store.head(TOKEN_KEY))?.etag).to.equal(second.etag)
      })

      it('ifMatch writes nothing where there is no object', async () => {
        const { etag } = await put(TOKEN_KEY, 'one')
        await store.delete(TOKEN_KEY)
        await failingWith('PRECONDITION_FAILED', put(TOKEN_KEY, 'two', { condition: { ifMatch: etag } }))
        expect(await keys()).to.deep.equal([])
      })

      it('let exactly one of many writers through that ask for an empty place at once', async () => {
        const tries = Array.from({ length: 8 }, (_, n) => put(TOKEN_KEY, `writer ${n}`, { condition: { ifNoneMatch: '*' } }))
        const won = await winners(tries)
        expect(won).to.have.length(1)
        expect(await read(TOKEN_KEY)).to.equal(`writer ${won[0]}`)
      })

      it('let exactly one of many writers through that replace the same object at once', async () => {
        const { etag } = await put(TOKEN_KEY, 'first')
        const tries = Array.from({ length: 8 }, (_, n) => put(TOKEN_KEY, `writer ${n}`, { condition: { ifMatch: etag } }))
        const won = await winners(tries)
        expect(won).to.have.length(1)
        expect(await read(TOKEN_KEY)).to.equal(`writer ${won[0]}`)
      })

      it('hold for get: the object of the ETag, or PRECONDITION_FAILED', async () => {
        const first = await put(TOKEN_KEY, 'one')
        expect(await read(TOKEN_KEY, { ifMatch: first.etag, range: { start: 1, end: 3 } })).to.equal('ne')
        await put(TOKEN_KEY, 'two')
        await failingWith('PRECONDITION_FAILED', store.get({ key: TOKEN_KEY, ifMatch: first.etag }))
      })
    })

    describe('copy, move and delete', () => {
      it('copy leaves both, move only the target', async () => {
        await put(TOKEN_KEY, 'x')
        const copied = await store.copy({ from: TOKEN_KEY, to: OTHER_KEY })
        expect(copied).to.deep.equal(await store.head(OTHER_KEY))
        expect(await keys()).to.deep.equal([TOKEN_KEY, OTHER_KEY])
        const moved = await store.move({ from: OTHER_KEY, to: '_revisions/r.parquet' })
        expect(moved).to.deep.equal(await store.head('_revisions/r.parquet'))
        expect(await keys()).to.deep.equal(['_revisions/r.parquet', TOKEN_KEY])
        expect(await read('_revisions/r.parquet')).to.equal('x')
      })

      it('a copy stays as it is when its origin is replaced or deleted', async () => {
        await put(TOKEN_KEY, 'old')
        await store.copy({ from: TOKEN_KEY, to: OTHER_KEY })
        await put(TOKEN_KEY, 'new')
        expect(await read(OTHER_KEY)).to.equal('old')
        await store.delete(TOKEN_KEY)
        expect(await read(OTHER_KEY)).to.equal('old')
      })

      it('both replace what is there, unless a condition forbids it', async () => {
        for (const op of ['copy', 'move'] as const) {
          await put('from', 'new')
          const target = await put('to', 'old')
          await failingWith('PRECONDITION_FAILED', store[op]({ from: 'from', to: 'to', condition: { ifNoneMatch: '*' } }))
          await failingWith('PRECONDITION_FAILED', store[op]({ from: 'from', to: 'to', condition: { ifMatch: 'stale' } }))
          expect(await read('to'), op).to.equal('old')
          expect(await read('from'), op).to.equal('new')
          await store[op]({ from: 'from', to: 'to', condition: { ifMatch: target.etag } })
          expect(await read('to'), op).to.equal('new')
          expect((await store.head('from')) === null, op).to.equal(op === 'move')
        }
      })

      it('both fill an empty place under ifNoneMatch', async () => {
        await put('from', 'x')
        await store.copy({ from: 'from', to: 'a', condition: { ifNoneMatch: '*' } })
        await store.move({ from: 'from', to: 'b', condition: { ifNoneMatch: '*' } })
        expect(await keys()).to.deep.equal(['a', 'b'])
      })

      it('both say OBJECT_ABSENT without an origin and leave the target', async () => {
        await put('to', 'x')
        await failingWith('OBJECT_ABSENT', store.copy({ from: 'none', to: 'to' }))
        await failingWith('OBJECT_ABSENT', store.move({ from: 'none', to: 'to' }))
        expect(await read('to')).to.equal('x')
      })

      it('let exactly one of many moves publish into an empty place', async () => {
        for (let n = 0; n < 6; n++) await put(`_incoming/${n}`, `writer ${n}`)
        const moves = Array.from({ length: 6 }, (_, n) =>
          store.move({ from: `_incoming/${n}`, to: TOKEN_KEY, condition: { ifNoneMatch: '*' } }),
        )
        const won = await winners(moves)
        expect(won).to.have.length(1)
        expect(await read(TOKEN_KEY)).to.equal(`writer ${won[0]}`)
        expect(await keys('_incoming/')).to.have.length(5)
      })

      it('refuse to move an object onto itself, and keep it', async () => {
        await put(TOKEN_KEY, 'x')
        await failingWith('PRECONDITION_FAILED', store.move({ from: TOKEN_KEY, to: TOKEN_KEY }))
        expect(await read(TOKEN_KEY)).to.equal('x')
      })

      it('delete says whether there was one', async () => {
        await put(TOKEN_KEY, 'x')
        await put(OTHER_KEY, 'y')
        expect(await store.delete(TOKEN_KEY)).to.equal(true)
        expect(await store.delete(TOKEN_KEY)).to.equal(false)
        expect(await keys()).to.deep.equal([OTHER_KEY])
      })

      it('puts and deletes of neighbours at once lose nothing', async () => {
        const names = Array.from({ length: 40 }, (_, n) => `deep/er/k${String(n).padStart(2, '0')}`)
        const churn = names.map(async (key, n) => {
          await put(key, 'x')
          if (n % 2 === 1) await store.delete(key)
        })
        await Promise.all(churn)
        expect(await keys('deep/')).to.deep.equal(names.filter((_, n) => n % 2 === 0))
      })
    })

    describe('readers and writers at once', () => {
      it('a reader that has opened an object sees all of it, also when it is replaced meanwhile', async () => {
        const old = Buffer.alloc(3 * 1_048_576, 'o')
        await put(TOKEN_KEY, old)
        const stream = await store.get({ key: TOKEN_KEY })
        const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
        const first = await chunks.next()
        await put(TOKEN_KEY, Buffer.alloc(3 * 1_048_576, 'n'))
        const seen = [first.value as Buffer]
        for (let step = await chunks.next(); !step.done; step = await chunks.next()) seen.push(step.value)
        expect(Buffer.concat(seen).equals(old)).to.equal(true)
        expect(await read(TOKEN_KEY, { range: { start: 0, end: 3 } })).to.equal('nnn')
      })

      it('readers during many replacements see one version whole each time', async () => {
        const version = (n: number): Buffer => Buffer.alloc(300_000, String(n % 10))
        await put(TOKEN_KEY, version(0))
        let writing = true
        const writer = (async () => {
          for (let n = 1; n <= 30; n++) await put(TOKEN_KEY, version(n))
        })().finally(() => (writing = false))
        let reads = 0
        while (writing || reads === 0) {
          const seen = await bytesOf(await store.get({ key: TOKEN_KEY }))
          expect(seen.length).to.equal(300_000)
          expect(seen.every((byte) => byte === seen[0])).to.equal(true)
          reads++
        }
        await writer
        expect(reads, 'reads that ran beside the writes').to.be.greaterThan(0)
      })

      it('a listing shows no unfinished write', async () => {
        const large = await file(Buffer.alloc(20 * 1_048_576, 'x'))
        let writing = true
        const writer = store.put({ key: 'large', ...large }).finally(() => (writing = false))
        let looks = 0
        while (writing) {
          for (const info of await all(store.list(''))) expect(info).to.include({ key: 'large', bytes: 20 * 1_048_576 })
          looks++
        }
        await writer
        expect(looks).to.be.greaterThan(0)
        expect(await keys()).to.deep.equal(['large'])
      })
    })

    describe('list', () => {
      it('gives keys in the byte order of whole keys, whatever the folders', async () => {
        const wanted = ['a-b', 'a/b', 'a/c/d', 'a/c-d', 'a0', 'ab', 'B', 'ä', '币', '\u{1F56F}', '\uFFFD']
        for (const key of wanted) await put(key, key)
        const sorted = wanted.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
        expect(await keys()).to.deep.equal(sorted)
      })

      it('takes any beginning of a key as the prefix', async () => {
        for (const key of ['x/ab/1', 'x/ab/2', 'x/abc/1', 'x/b', 'y']) await put(key, 'v')
        expect(await keys('x/ab/')).to.deep.equal(['x/ab/1', 'x/ab/2'])
        expect(await keys('x/ab')).to.deep.equal(['x/ab/1', 'x/ab/2', 'x/abc/1'])
        expect(await keys('x/')).to.have.length(4)
        expect(await keys('x/b')).to.deep.equal(['x/b'])
        expect(await keys('none/')).to.deep.equal([])
        expect(await keys('y/')).to.deep.equal([])
      })

      it('says of each object what head says', async () => {
        await put('a/1', 'one')
        await put('a/2', 'three')
        for (const info of await all(store.list('a/'))) expect(info).to.deep.equal(await store.head(info.key))
      })

      it('gives more than a thousand keys, each once and in order', async function () {
        this.timeout(60_000)
        const body = await file('v')
        const wanted = Array.from({ length: 1_050 }, (_, n) => `many/${String(n % 7)}/${String(n).padStart(4, '0')}`)
        for (let at = 0; at < wanted.length; at += 50) {
          await Promise.all(wanted.slice(at, at + 50).map((key) => store.put({ key, ...body })))
        }
        expect(await keys('many/')).to.deep.equal(wanted.toSorted())
      })
    })

    describe('keys', () => {
      const bad = ['', '/', '/etc/passwd', '../x', 'a/../../x', 'a/..', './a', 'a//b', 'a/', 'a\0b', 'a\nb', '..\\x']
      bad.push('x'.repeat(256), Array.from({ length: 200 }, () => 'segment').join('/'))

      it('that would leave the store, or that not every store can hold, are refused by each method', async () => {
        const local = await file('x')
        await put('real', 'x')
        for (const key of bad) {
          await failingWith('BAD_PARTITION', () => store.put({ key, ...local }))
          await failingWith('BAD_PARTITION', () => store.head(key))
          await failingWith('BAD_PARTITION', () => store.get({ key }))
          await failingWith('BAD_PARTITION', () => store.delete(key))
          await failingWith('BAD_PARTITION', () => store.copy({ from: 'real', to: key }))
          await failingWith('BAD_PARTITION', () => store.move({ from: 'real', to: key }))
          await failingWith('BAD_PARTITION', () => store.copy({ from: key, to: 'other' }))
          await failingWith('BAD_PARTITION', () => store.materialise({ key, scratch: scratch.path }))
        }
        expect(await keys()).to.deep.equal(['real'])
      })

      it('are refused as prefixes that lead out, too', async () => {
        for (const prefix of ['../', '/', 'a/../', 'a//']) await failingWith('BAD_PARTITION', () => all(store.list(prefix)))
      })
    })

    describe('materialise', () => {
      it('gives a local file with the bytes of the object', async () => {
        await put(TOKEN_KEY, 'local')
        const path = await store.materialise({ key: TOKEN_KEY, scratch: scratch.path })
        expect(await readFile(path, 'utf8')).to.equal('local')
        await failingWith('OBJECT_ABSENT', store.materialise({ key: OTHER_KEY, scratch: scratch.path }))
      })
    })

    it('has a URL with a scheme and without credentials', () => {
      const url = new URL(store.url)
      expect(url.protocol).to.match(/^(file|s3):$/)
      expect(url.username + url.password).to.equal('')
    })
  })
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

async function bytesOf(stream: Readable): Promise<Buffer> {
  return Buffer.concat((await all(stream)) as Buffer[])
}

/** The places of those that were let through; every other one must have failed by its condition. */
async function winners(tries: readonly Promise<unknown>[]): Promise<number[]> {
  const outcomes = await Promise.allSettled(tries)
  for (const o of outcomes) {
    if (o.status === 'rejected') await failingWith('PRECONDITION_FAILED', Promise.reject(o.reason as Error))
  }
  return outcomes.flatMap((o, n) => (o.status === 'fulfilled' ? [n] : []))
}
