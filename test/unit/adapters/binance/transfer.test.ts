import { expect } from 'chai'
import { failingWith } from '../../../support/failing-with.js'
import { zipLike } from '../../../support/served-archive.js'
import { tinyServer } from '../../../support/tiny-server.js'
import { ArchiveOnTrial, KEY } from './archive-on-trial.js'

const SIZE = 400_000

describe('a transfer that breaks', () => {
  const t = new ArchiveOnTrial()
  beforeEach(() => t.begin())
  afterEach(() => t.end())

  const ranges = (): (string | null)[] => t.served.asked(KEY).map((request) => request.range)

  it('by a truncation goes on where it ended, by Range', async () => {
    const { sha256Hex, content } = await t.served.putZip(KEY, SIZE)
    t.faults({ truncate: true, firstPerPath: 1, match: /zip$/ })
    const { source } = await t.fetch()
    expect(t.served.server.faults.counts.truncate).to.equal(1)
    // What had come is not asked for again, but for the last pieces, which undici drops when a body ends in an error.
    const [first, second] = t.served.asked(KEY)
    expect(first).to.include({ status: 200, range: null, bytes: SIZE / 2 })
    const start = Number(/^bytes=(\d+)-$/.exec(second?.range ?? '')?.[1])
    expect(start).to.be.within(1, SIZE / 2)
    expect(second).to.include({ status: 206, bytes: SIZE - start })
    expect(t.served.asked(KEY)).to.have.length(2)
    expect(source).to.include({ bytes: SIZE, sha256Hex, checksum: 'ok' })
    expect((await t.written()).equals(content)).to.equal(true)
  })

  it('by a reset goes on with what had come', async () => {
    const { sha256Hex } = await t.served.putZip(KEY, SIZE)
    t.faults({ dropFrom: 150_000, firstPerPath: 1, match: /zip$/ })
    const { source } = await t.fetch()
    expect(t.served.server.faults.counts.dropFrom).to.equal(1)
    expect(source).to.include({ bytes: SIZE, sha256Hex })
    const [first, second] = ranges()
    expect(first).to.equal(null)
    if (second !== null) expect(Number(/\d+/.exec(second ?? '')?.[0])).to.be.within(1, 150_000)
  })

  it('by a reset before the answer is asked again', async () => {
    const { sha256Hex } = await t.served.putZip(KEY, SIZE)
    t.faults({ dropFrom: 0, times: 2, match: /zip$/ })
    expect((await t.fetch()).source.sha256Hex).to.equal(sha256Hex)
    expect(t.served.server.faults.counts.dropFrom).to.equal(2)
  })

  it('by a stall goes on after the idle timeout', async () => {
    const { sha256Hex } = await t.served.putZip(KEY, SIZE)
    t.faults({ stallAfterBytes: 100_000, firstPerPath: 1, match: /zip$/ })
    const { source } = await t.fetch({ timeouts: { bodyIdleMs: 300 } })
    expect(t.served.server.faults.counts.stallAfterBytes).to.equal(1)
    expect(ranges()).to.deep.equal([null, 'bytes=100000-'])
    expect(source.sha256Hex).to.equal(sha256Hex)
  })

  it('by a stall before the first byte is ARCHIVE_UNREACHABLE after one timeout', async () => {
    await t.served.putZip(KEY, SIZE)
    t.faults({ stallAfterBytes: 0, match: /zip$/ })
    const error = await failingWith('ARCHIVE_UNREACHABLE', t.fetch({ timeouts: { bodyIdleMs: 300 } }))
    expect(error.message).to.include('timed out')
    expect(error.facts).to.include({ reason: 'timeout' })
    expect(t.served.server.faults.counts.stallAfterBytes).to.equal(1)
  })

  it('by an answer that never begins is ARCHIVE_UNREACHABLE after one timeout', async () => {
    await t.served.putZip(KEY, SIZE)
    t.faults({ latencyMs: 60_000, match: /zip$/ })
    const error = await failingWith('ARCHIVE_UNREACHABLE', t.fetch({ timeouts: { headersMs: 300 } }))
    expect(error.message).to.include('timed out')
    expect(t.served.server.faults.counts.latencyMs).to.equal(1)
  })

  it('again and again without getting far ends as SOURCE_TRUNCATED with both lengths', async () => {
    await t.served.putZip(KEY, SIZE)
    t.faults({ truncate: true, match: /zip$/ })
    const error = await failingWith('SOURCE_TRUNCATED', t.fetch())
    expect(t.served.server.faults.counts.truncate).to.equal(4)
    expect(error.facts).to.include({ wantBytes: SIZE })
    expect(error.facts['bytes']).to.be.within(SIZE / 2, SIZE - 1)
  })

  it('again and again but getting on ends well, however often it breaks', async () => {
    const size = 12_000_000
    const { sha256Hex } = await t.served.putZip(KEY, size)
    t.faults({ dropFrom: 2_000_000, match: /zip$/ })
    const { source } = await t.fetch()
    expect(source).to.include({ bytes: size, sha256Hex })
    expect(t.served.server.faults.counts.dropFrom).to.be.at.least(5)
  })

  it('while the archive replaces the file is SOURCE_CHANGED, not a mixture', async () => {
    await t.served.putZip(KEY, SIZE, 1)
    t.faults({ stallAfterBytes: 100_000, firstPerPath: 1, match: /zip$/ })
    const replacing: Promise<unknown>[] = []
    const onBytes = (): void => void (replacing.length || replacing.push(t.served.putZip(KEY, SIZE, 2)))
    await failingWith('SOURCE_CHANGED', t.fetch({ timeouts: { bodyIdleMs: 300 }, onBytes }))
    await Promise.all(replacing)
    expect(t.served.server.faults.counts.stallAfterBytes).to.equal(1)
    expect(t.served.asked(KEY).map((r) => r.status)).to.deep.equal([200, 412])
  })

  it('while the archive replaces it by a shorter file is SOURCE_CHANGED, too', async () => {
    await t.served.putZip(KEY, SIZE, 1)
    t.faults({ stallAfterBytes: 100_000, firstPerPath: 1, match: /zip$/ })
    const replacing: Promise<unknown>[] = []
    const onBytes = (): void => void (replacing.length || replacing.push(t.served.putZip(KEY, 50_000, 2)))
    await failingWith('SOURCE_CHANGED', t.fetch({ timeouts: { bodyIdleMs: 300 }, onBytes }))
    await Promise.all(replacing)
  })
})

describe('a transfer from a server unlike the archive', () => {
  const content = zipLike(50_000, 3)
  const t = new ArchiveOnTrial()
  beforeEach(() => t.begin())
  afterEach(() => t.end())

  type Answer = Parameters<typeof tinyServer>[0]
  const from = async (answer: Answer): Promise<string> => {
    const server = await tinyServer((req, res) => {
      if (req.url?.endsWith('.CHECKSUM')) res.writeHead(404).end()
      else void answer(req, res)
    })
    t.alsoClose(() => server.close())
    return server.url
  }

  // A first answer that stops is cut by the idle timeout: by then all that it held has been taken.
  const fetch = (archiveUrl: string, maxBytes = 1_000_000) =>
    t.fetch({ archiveUrl, maxBytes, timeouts: { bodyIdleMs: 300 } })

  it('without ETags starts over after a break', async () => {
    const asked: (string | undefined)[] = []
    const archiveUrl = await from((req, res) => {
      asked.push(req.headers.range)
      res.writeHead(200, { 'content-length': content.length })
      if (asked.length === 1) res.write(content.subarray(0, 20_000))
      else res.end(content)
    })
    const { source } = await fetch(archiveUrl)
    expect(asked).to.deep.equal([undefined, undefined])
    expect(source).to.include({ bytes: content.length, etag: null, lastModified: null, checksum: 'missing' })
    expect((await t.written()).equals(content)).to.equal(true)
  })

  it('with weak ETags starts over as well', async () => {
    const asked: (string | undefined)[] = []
    const archiveUrl = await from((req, res) => {
      asked.push(req.headers.range)
      res.writeHead(200, { 'content-length': content.length, etag: 'W/"1"' })
      if (asked.length === 1) res.write(content.subarray(0, 20_000))
      else res.end(content)
    })
    expect((await fetch(archiveUrl)).source.etag).to.equal('1')
    expect(asked).to.deep.equal([undefined, undefined])
  })

  it('that ignores Range sends all again, and the file has each byte once', async () => {
    const asked: (string | undefined)[] = []
    const archiveUrl = await from((req, res) => {
      asked.push(req.headers.range)
      res.writeHead(200, { 'content-length': content.length, etag: '"1"' })
      if (asked.length === 1) res.write(content.subarray(0, 20_000))
      else res.end(content)
    })
    await fetch(archiveUrl)
    expect(asked[1]).to.match(/^bytes=\d+-$/)
    expect((await t.written()).equals(content)).to.equal(true)
  })

  it('that ignores Range and has another file by now is SOURCE_CHANGED', async () => {
    let count = 0
    const archiveUrl = await from((_req, res) => {
      count++
      res.writeHead(200, { 'content-length': content.length, etag: `"${count}"` })
      if (count === 1) res.write(content.subarray(0, 20_000))
      else res.end(content)
    })
    await failingWith('SOURCE_CHANGED', fetch(archiveUrl))
    expect(count).to.equal(2)
  })

  it('that answers with another stretch than was asked for is SOURCE_CHANGED', async () => {
    const archiveUrl = await from((req, res) => {
      const total = content.length
      if (!req.headers.range) {
        res.writeHead(200, { 'content-length': total, etag: '"1"' })
        res.write(content.subarray(0, 20_000))
        return
      }
      res.writeHead(206, { 'content-length': total, etag: '"1"', 'content-range': `bytes 0-${total - 1}/${total}` })
      res.end(content)
    })
    await failingWith('SOURCE_CHANGED', fetch(archiveUrl))
  })

  it('that compresses on the way is refused', async () => {
    const archiveUrl = await from((req, res) => {
      expect(req.headers['accept-encoding']).to.equal('identity')
      res.writeHead(200, { 'content-encoding': 'gzip' }).end(content)
    })
    const error = await failingWith('SOURCE_NOT_ZIP', fetch(archiveUrl))
    expect(error.facts).to.include({ coding: 'gzip' })
  })

  it('that states no length is read to its end, and cut at the cap', async () => {
    const archiveUrl = await from((_req, res) => {
      res.writeHead(200, { etag: '"1"' })
      res.write(content.subarray(0, 30_000), () => res.end(content.subarray(30_000)))
    })
    expect((await fetch(archiveUrl)).source.bytes).to.equal(content.length)
    await failingWith('SOURCE_TOO_LARGE', fetch(archiveUrl, 40_000))
  })
})
