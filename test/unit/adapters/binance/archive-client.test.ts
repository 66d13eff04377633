import { expect } from 'chai'
import { failingWith } from '../../../support/failing-with.js'
import { describeWithMounts, mountSmallDisk } from '../../../support/small-disk.js'
import { openArchive } from '../../../../src/adapters/binance/archive-client.js'
import { ArchiveOnTrial, KEY } from './archive-on-trial.js'

describe('the archive client', () => {
  const t = new ArchiveOnTrial()
  beforeEach(() => t.begin())
  afterEach(() => t.end())

  it('writes the file, and states its length, digest, ETag, date, range and checksum', async () => {
    const { content, sha256Hex } = await t.served.putZip(KEY, 300_000)
    let counted = 0
    const { source, path } = await t.fetch({ onBytes: (count) => (counted += count) })
    expect((await t.written()).equals(content)).to.equal(true)
    expect(path).to.equal(t.path)
    expect(counted).to.equal(300_000)
    expect(source).to.include({ key: KEY, bytes: 300_000, sha256Hex, checksum: 'ok', checksumHex: sha256Hex })
    expect(source.etag).to.match(/^[0-9a-f]{32}$/)
    expect(source.lastModified).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/)
    expect(source.range).to.deep.equal({
      fromUs: BigInt(Date.UTC(2024, 0)) * 1_000n,
      toUs: BigInt(Date.UTC(2024, 1)) * 1_000n,
    })
    expect(t.served.asked(KEY)).to.have.length(1)
  })

  it('fetches a day of a unicode symbol, percent-encoded', async () => {
    const key = 'data/spot/daily/klines/币安人生USDT/1m/币安人生USDT-1m-2025-10-09.zip'
    const { sha256Hex } = await t.served.putZip(key, 1_000)
    const { source } = await t.fetch({ key })
    expect(source).to.include({ key, sha256Hex, checksum: 'ok' })
    expect(source.range.toUs - source.range.fromUs).to.equal(86_400_000_000n)
  })

  it('refuses a key that names no archive file, without asking for it', async () => {
    for (const key of ['data/../secret.zip', 'data/spot/monthly/klines/BTCUSDT/1h/readme.txt', '']) {
      await failingWith('BAD_PARTITION', t.fetch({ key }))
    }
    expect(t.served.server.requests).to.deep.equal([])
  })

  describe('side files', () => {
    it('a stale one is a mismatch, kept with what it claims', async () => {
      const { sha256Hex } = await t.served.putZip(KEY, 1_000)
      t.faults({ staleChecksum: true })
      const { source } = await t.fetch()
      expect(source).to.include({ checksum: 'mismatch', sha256Hex })
      expect(source.checksumHex).to.match(/^[0-9a-f]{64}$/).and.not.equal(sha256Hex)
      expect(t.served.server.faults.counts.staleChecksum).to.equal(1)
    })

    it('a flipped bit in the file is a mismatch, too', async () => {
      const { sha256Hex } = await t.served.putZip(KEY, 1_000)
      t.faults({ flipBits: true })
      const { source } = await t.fetch()
      expect(source).to.include({ checksum: 'mismatch', checksumHex: sha256Hex })
      expect(t.served.server.faults.counts.flipBits).to.equal(1)
    })

    it('a missing one is stated as missing', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ missingChecksum: true })
      expect((await t.fetch()).source).to.include({ checksum: 'missing', checksumHex: null })
      expect(t.served.server.faults.counts.missingChecksum).to.equal(1)
    })

    it('one that names another file is refused, with both names', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ foreignChecksum: true })
      const error = await failingWith('CHECKSUM_FOREIGN', t.fetch())
      expect(error.facts).to.include({ wantName: 'BTCUSDT-1h-2024-01.zip', gotName: 'OTHER-BTCUSDT-1h-2024-01.zip' })
      expect(t.served.server.faults.counts.foreignChecksum).to.equal(1)
    })

    it('one that is a web page, or without end, counts as missing', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ htmlPage: true, match: '.CHECKSUM' })
      expect((await t.fetch()).source.checksum).to.equal('missing')
      expect(t.served.server.faults.counts.htmlPage).to.equal(1)
      t.faults([])
      await t.served.put(`${KEY}.CHECKSUM`, 'a'.repeat(5_000_000))
      expect((await t.fetch()).source.checksum).to.equal('missing')
    })

    it('one that cannot be had now is no missing one: the fetch fails and can be tried again', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ errorRate: 1, errorStatus: 500, match: '.CHECKSUM' })
      await failingWith('ARCHIVE_UNREACHABLE', t.fetch())
      expect(t.served.server.faults.counts.errorRate).to.equal(1)
    })

    it('one whose connection is reset is asked for again', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ dropFrom: 0, match: '.CHECKSUM', times: 2 })
      expect((await t.fetch()).source.checksum).to.equal('ok')
      expect(t.served.server.faults.counts.dropFrom).to.equal(2)
    })
  })

  describe('refusals', () => {
    it('a 404 is ARCHIVE_ABSENT', async () => {
      const error = await failingWith('ARCHIVE_ABSENT', t.fetch())
      expect(error.at).to.equal(`${t.served.server.url}/${KEY}`)
    })

    it('429 carries the time to wait', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ tooManyRequests: { count: 1, retryAfterSeconds: 7 } })
      const error = await failingWith('ARCHIVE_BUSY', t.fetch())
      expect(error.retryAfterMs).to.equal(7_000)
      expect(t.served.server.faults.counts.tooManyRequests).to.equal(1)
      expect((await t.fetch()).source.checksum).to.equal('ok')
    })

    for (const status of [500, 502, 403, 451]) {
      const code = status >= 500 ? 'ARCHIVE_UNREACHABLE' : 'ARCHIVE_REFUSED'
      it(`${status} is ${code}`, async () => {
        await t.served.putZip(KEY, 1_000)
        t.faults({ errorRate: 1, errorStatus: status })
        const error = await failingWith(code, t.fetch())
        expect(error.facts).to.include({ status })
        expect(t.served.server.faults.counts.errorRate).to.equal(1)
      })
    }

    it('a web page with status 200 is SOURCE_NOT_ZIP and shows its beginning', async () => {
      await t.served.putZip(KEY, 1_000)
      t.faults({ htmlPage: true })
      const error = await failingWith('SOURCE_NOT_ZIP', t.fetch())
      expect(String(error.facts['head']).toLowerCase()).to.include('<')
      expect(error.facts['head']).to.have.length.of.at.most(800)
      expect(t.served.server.faults.counts.htmlPage).to.equal(1)
    })

    it('so are XML, a few bytes and nothing; an empty ZIP is one', async () => {
      for (const content of ['<?xml version="1.0"?><Error/>', 'PK', '', 'x'.repeat(10_000)]) {
        await t.served.put(KEY, content)
        await failingWith('SOURCE_NOT_ZIP', t.fetch())
      }
      await t.served.put(KEY, Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)]))
      expect((await t.fetch()).source.bytes).to.equal(22)
    })

    it('a redirect to another host is refused and not followed', async () => {
      await t.served.putZip(KEY, 1_000)
      const other = new ArchiveOnTrial()
      await other.begin()
      t.alsoClose(() => other.end())
      await other.served.putZip(KEY, 1_000)
      t.faults({ redirectTo: other.served.server.url })
      const error = await failingWith('ARCHIVE_REDIRECT', t.fetch())
      expect(error.facts['to']).to.equal(other.served.server.url)
      expect(t.served.server.faults.counts.redirectTo).to.equal(1)
      expect(other.served.server.requests).to.deep.equal([])
    })

    it('a file above the cap is refused by its declared length, before its bytes are taken', async () => {
      await t.served.putZip(KEY, 3_000_000)
      const error = await failingWith('SOURCE_TOO_LARGE', t.fetch({ maxBytes: 2_999_999 }))
      expect(error.facts).to.include({ bytes: 3_000_000, maxBytes: 2_999_999 })
      expect((await t.written()).length).to.equal(0)
      expect((await t.fetch({ maxBytes: 3_000_000 })).source.bytes).to.equal(3_000_000)
    })
  })

  describe('cancelling', () => {
    it('ends a transfer that is under way, with the reason of the signal', async () => {
      await t.served.putZip(KEY, 2_000_000)
      t.faults({ bytesPerSecond: 200_000 })
      const stop = new AbortController()
      const why = new Error('enough')
      const fetching = t.fetch({ signal: stop.signal, onBytes: () => stop.abort(why) })
      expect(await fetching.catch((thrown: unknown) => thrown)).to.equal(why)
      expect(t.served.server.faults.counts.bytesPerSecond).to.equal(1)
    })

    it('asks nothing when it was cancelled before', async () => {
      const outcome = t.fetch({ signal: AbortSignal.abort('never') }).catch((thrown: unknown) => thrown)
      expect(await outcome).to.equal('never')
      expect(t.served.server.requests).to.deep.equal([])
    })
  })

  it('takes a slow transfer as long as bytes come', async () => {
    const { sha256Hex } = await t.served.putZip(KEY, 60_000)
    t.faults({ bytesPerSecond: 50_000, match: /zip$/ })
    const begun = performance.now()
    const { source } = await t.fetch({ timeouts: { bodyIdleMs: 700 } })
    expect(source.sha256Hex).to.equal(sha256Hex)
    expect(performance.now() - begun).to.be.greaterThan(1_000)
    expect(t.served.server.faults.counts.bytesPerSecond).to.equal(1)
  })

  it('lets no more requests at the origin at once than it is told', async () => {
    const options = { archiveUrl: t.served.server.url, maxBytes: 1e9, userAgent: 'candlelake/test' }
    const client = openArchive({ ...options, connections: 2 })
    t.alsoClose(() => client.close())
    await t.served.putZip(KEY, 1_000)
    t.faults({ latencyMs: 60 })
    const signal = new AbortController().signal
    const wanted = { key: KEY, bytes: null, etag: null, lastModified: null }
    const begun = performance.now()
    await Promise.all(Array.from({ length: 6 }, (_, n) => client.fetch({ wanted, path: `${t.path}${n}`, signal })))
    // Twelve requests of 60 ms, two at a time.
    expect(performance.now() - begun).to.be.greaterThan(350)
    expect(t.served.server.faults.counts.latencyMs).to.equal(12)
  })

  describeWithMounts('the archive client on a small disk', import.meta.url, () => {
    it('says DISK_FULL in the middle of a file', async () => {
      const disk = await mountSmallDisk(512)
      try {
        await t.served.putZip(KEY, 2_000_000)
        const client = openArchive({ archiveUrl: t.served.server.url, maxBytes: 1e9, userAgent: 'candlelake/test' })
        t.alsoClose(() => client.close())
        const wanted = { key: KEY, bytes: null, etag: null, lastModified: null }
        const signal = new AbortController().signal
        const error = await failingWith('DISK_FULL', client.fetch({ wanted, path: `${disk.path}/f`, signal }))
        expect(error.facts).to.include({ errno: 'ENOSPC' })
      } finally {
        await disk.unmount()
      }
    })
  })
})
