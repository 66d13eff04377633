import { expect } from 'chai'
import { openArchiveListing } from '../../../../src/adapters/binance/archive-listing.js'
import { addMonths, monthsFromTo } from '../../../../src/domain/month.js'
import type { ArchiveListing } from '../../../../src/domain/ports/archive.js'
import { failingWith } from '../../../support/failing-with.js'
import { serveArchive, type ServedArchive } from '../../../support/served-archive.js'
import { tinyServer } from '../../../support/tiny-server.js'

const PREFIX = 'data/spot/monthly/klines/'
const keyOf = (symbol: string, month: string): string => `${PREFIX}${symbol}/1h/${symbol}-1h-${month}.zip`

describe('the archive listing', () => {
  let served: ServedArchive
  let closing: (() => Promise<unknown>)[] = []

  beforeEach(async () => {
    served = await serveArchive()
    closing = [() => served.close()]
  })
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  const open = (listUrl = served.server.url): ArchiveListing => {
    const listing = openArchiveListing({ listUrl, userAgent: 'candlelake/test', timeouts: { headersMs: 20_000 } })
    closing.push(() => listing.close())
    return listing
  }
  const fake = async (answer: Parameters<typeof tinyServer>[0]): Promise<string> => {
    const server = await tinyServer(answer)
    closing.push(() => server.close())
    return server.url
  }

  it('gives the ZIPs of a series in key order, with size, ETag and date, and no CHECKSUM', async () => {
    await served.putZip(keyOf('BTCUSDT', '2024-02'), 200)
    await served.putZip(keyOf('BTCUSDT', '2024-01'), 100)
    await served.putZip(`${PREFIX}BTCUSDT_240329/1h/BTCUSDT_240329-1h-2024-01.zip`, 100)
    await served.put(`${PREFIX}BTCUSDT/1h/notes.txt`, 'x')
    const files = await all(open().files(`${PREFIX}BTCUSDT/1h/`))
    expect(files.map((f) => [f.key, f.bytes])).to.deep.equal([
      [keyOf('BTCUSDT', '2024-01'), 100],
      [keyOf('BTCUSDT', '2024-02'), 200],
    ])
    for (const file of files) {
      expect(file.etag).to.match(/^[0-9a-f]{32}$/)
      expect(file.lastModified).to.match(/^\d{4}-\d\d-\d\dT/)
    }
  })

  it('gives the names of child folders, unicode ones as they are', async () => {
    for (const symbol of ['BTCUSDT', 'BTCUSDT_240329', '币安人生USDT', '1000SHIBUSDT']) {
      await served.putZip(keyOf(symbol, '2024-01'), 10)
    }
    const names = await all(open().folders(PREFIX))
    expect(names).to.deep.equal(['1000SHIBUSDT', 'BTCUSDT', 'BTCUSDT_240329', '币安人生USDT'])
    expect(await all(open().folders(`${PREFIX}币安人生USDT/`))).to.deep.equal(['1h'])
  })

  it('reads on over pages of a thousand, each key once', async () => {
    const months = [...monthsFromTo('1990-01', addMonths('1990-01', 699))]
    for (const month of months) await served.putZip(keyOf('BTCUSDT', month), 10)
    const files = await all(open().files(`${PREFIX}BTCUSDT/1h/`))
    expect(files.map((f) => f.key)).to.deep.equal(months.map((month) => keyOf('BTCUSDT', month)))
    expect(served.server.requests, '1,400 keys').to.have.length(2)
  })

  it('reads folders on over pages, too', async () => {
    const symbols = Array.from({ length: 1_100 }, (_, n) => `S${String(n).padStart(4, '0')}USDT`)
    for (const symbol of symbols) await served.put(`${PREFIX}${symbol}/1h/x.zip`, 'x')
    expect(await all(open().folders(PREFIX))).to.deep.equal(symbols)
    expect(served.server.requests).to.have.length(2)
  })

  it('stops asking when its reader stops', async () => {
    for (let n = 0; n < 1_100; n++) await served.put(`${PREFIX}S${n}/1h/x.zip`, 'x')
    for await (const name of open().folders(PREFIX)) {
      expect(name).to.equal('S0')
      break
    }
    expect(served.server.requests).to.have.length(1)
  })

  it('finds a key by its whole name', async () => {
    await served.putZip(keyOf('BTCUSDT', '2024-01'), 100)
    expect(await open().find(keyOf('BTCUSDT', '2024-01'))).to.include({ key: keyOf('BTCUSDT', '2024-01'), bytes: 100 })
    expect(await open().find(keyOf('BTCUSDT', '2024-02'))).to.equal(null)
    expect(await open().find(keyOf('BTCUSDT', '2024-01').slice(0, -1))).to.equal(null)
  })

  it('is empty for a prefix without files, and refuses one without the slash', async () => {
    expect(await all(open().files('data/none/'))).to.deep.equal([])
    expect(await all(open().folders('data/none/'))).to.deep.equal([])
    await failingWith('BAD_USAGE', () => all(open().files(`${PREFIX}BTCUSDT`)))
  })

  it('tries again after failures of the server, a few times', async () => {
    await served.putZip(keyOf('BTCUSDT', '2024-01'), 100)
    served.server.faults.set({ errorRate: 1, errorStatus: 500, times: 2 })
    expect(await all(open().files(`${PREFIX}BTCUSDT/1h/`))).to.have.length(1)
    expect(served.server.faults.counts.errorRate).to.equal(2)
  })

  it('gives up on a server that goes on failing', async function () {
    this.timeout(20_000)
    served.server.faults.set({ errorRate: 1, errorStatus: 500 })
    await failingWith('ARCHIVE_UNREACHABLE', () => all(open().files(`${PREFIX}BTCUSDT/1h/`)))
    expect(served.server.faults.counts.errorRate).to.equal(4)
  })

  it('waits as long as a 429 says, and not at all for half an hour', async function () {
    this.timeout(20_000)
    served.server.faults.set({ tooManyRequests: { count: 1, retryAfterSeconds: 1 } })
    const begun = performance.now()
    expect(await all(open().folders(PREFIX))).to.deep.equal([])
    expect(performance.now() - begun).to.be.greaterThan(990)
    served.server.faults.set({ tooManyRequests: { count: 1, retryAfterSeconds: 1_800 } })
    const error = await failingWith('ARCHIVE_BUSY', () => all(open().folders(PREFIX)))
    expect(error.retryAfterMs).to.equal(1_800_000)
    expect(served.server.faults.counts.tooManyRequests).to.equal(2)
  })

  it('says of a web page that it is no listing, at once', async () => {
    served.server.faults.set({ htmlPage: true })
    const error = await failingWith('ARCHIVE_UNREACHABLE', () => all(open().folders(PREFIX)))
    expect(error.message).to.include('not a bucket listing')
    expect(served.server.faults.counts.htmlPage).to.equal(1)
    const url = await fake((_req, res) => res.writeHead(404).end())
    await failingWith('ARCHIVE_UNREACHABLE', () => all(open(url).folders(PREFIX)))
  })

  it('ends with the reason of its signal', async () => {
    served.server.faults.set({ latencyMs: 5_000 })
    const stop = new AbortController()
    setTimeout(() => stop.abort(new Error('enough')), 100)
    const outcome = await all(open().folders(PREFIX, stop.signal)).catch((thrown: unknown) => thrown)
    expect(outcome).to.be.instanceOf(Error).and.have.property('message', 'enough')
  })

  describe('of a server that knows only V1', () => {
    const contents = (keys: string[]): string => keys.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('')

    it('goes on by marker', async () => {
      const asked: URLSearchParams[] = []
      const url = await fake((req, res) => {
        const query = new URL(req.url ?? '', 'http://x').searchParams
        asked.push(query)
        const isFirst = !query.has('marker')
        const keys = isFirst ? ['p/1.zip', 'p/1.zip.CHECKSUM', 'p/2.zip'] : ['p/2.zip.CHECKSUM', 'p/3.zip']
        res.end(`<ListBucketResult><IsTruncated>${isFirst}</IsTruncated>${contents(keys)}</ListBucketResult>`)
      })
      expect((await all(open(url).files('p/'))).map((f) => f.key)).to.deep.equal(['p/1.zip', 'p/2.zip', 'p/3.zip'])
      expect(asked.map((q) => q.get('marker'))).to.deep.equal([null, 'p/2.zip'])
      expect(asked[1]?.has('list-type')).to.equal(false)
    })

    it('leaves out the child without a name', async () => {
      const prefixes = ['p//', 'p/12h/', 'p/1h/'].map((p) => `<CommonPrefixes><Prefix>${p}</Prefix></CommonPrefixes>`)
      const url = await fake((_req, res) => res.end(`<ListBucketResult>${prefixes.join('')}</ListBucketResult>`))
      expect(await all(open(url).folders('p/'))).to.deep.equal(['12h', '1h'])
    })

    it('does not go round in circles', async () => {
      const url = await fake((_req, res) =>
        res.end(`<ListBucketResult><IsTruncated>true</IsTruncated>${contents(['p/1.zip'])}</ListBucketResult>`),
      )
      await failingWith('ARCHIVE_UNREACHABLE', () => all(open(url).files('p/')))
    })
  })
})

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
