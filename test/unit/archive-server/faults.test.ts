import { expect } from 'chai'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { once } from 'node:events'
import { FAULT_KINDS, type FaultKind } from '../../../src/archive-server/fault-rule.js'
import { Faults } from '../../../src/archive-server/faults.js'
import { startArchiveServer } from '../../../src/archive-server/server.js'
import { checksumText, sha256Of } from '../../../src/archive-server/zip-member.js'
import { archiveUnderTest, type Answer, type ArchiveUnderTest } from './archive-under-test.js'

const ZIP = 'data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-11.zip'
const OTHER = 'data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-12.zip'
const CHECKSUM = `${ZIP}.CHECKSUM`
const CONTENT = Buffer.alloc(100_000, 'PK sixteen bytes')
const DIGEST = sha256Of(CONTENT)

describe('archive server: faults', () => {
  let archive: ArchiveUnderTest
  const struck = (): Partial<Record<FaultKind, number>> =>
    Object.fromEntries(Object.entries(archive.server.faults.counts).filter(([, count]) => count > 0))
  const zip = (): Promise<Answer> => archive.ask(`/${ZIP}`)

  before(async () => {
    archive = await archiveUnderTest()
    for (const key of [ZIP, OTHER]) await archive.put(key, CONTENT)
    await archive.put(CHECKSUM, checksumText(DIGEST, 'BTCUSDT-1h-2024-11.zip'))
  })
  beforeEach(() => {
    archive.server.faults.clear()
    archive.server.faults.reset()
  })
  after(() => archive.close())

  it('nothing goes wrong, and nothing is counted, without a rule', async () => {
    expect((await zip()).body.equals(CONTENT)).to.equal(true)
    expect(struck()).to.deep.equal({})
  })

  it('latencyMs delays the answer', async () => {
    archive.server.faults.set({ latencyMs: 60 })
    const startedMs = performance.now()
    await zip()
    expect(performance.now() - startedMs).to.be.at.least(59)
    expect(struck()).to.deep.equal({ latencyMs: 1 })
  })

  it('bytesPerSecond paces the body, which arrives whole', async () => {
    archive.server.faults.set({ bytesPerSecond: 500_000 })
    const startedMs = performance.now()
    expect((await zip()).body.equals(CONTENT)).to.equal(true)
    expect(performance.now() - startedMs).to.be.at.least(150)
    expect(struck()).to.deep.equal({ bytesPerSecond: 1 })
  })

  it('errorRate fails that part of the requests, the same ones for the same seed', async () => {
    const run = async (seed: number): Promise<number[]> => {
      archive.server.faults.set({ errorRate: 0.3, errorStatus: 502 }, seed)
      const statuses = []
      for (let n = 0; n < 60; n++) statuses.push((await archive.ask(`/${CHECKSUM}`)).status)
      return statuses
    }
    const first = await run(7)
    const failures = first.filter((status) => status === 502).length
    expect(failures).to.be.within(6, 32)
    expect(first.filter((status) => status === 200).length).to.equal(60 - failures)
    expect(struck()).to.deep.equal({ errorRate: failures })
    expect(await run(7)).to.deep.equal(first)
    expect(await run(8)).not.to.deep.equal(first)
  })

  it('errorRate means 503 SlowDown where no status is named', async () => {
    archive.server.faults.set({ errorRate: 1 })
    const got = await archive.ask('/?prefix=data/')
    expect([got.status, got.text.includes('<Code>SlowDown</Code>')]).to.deep.equal([503, true])
  })

  it('tooManyRequests turns the first ones away and says when to come again', async () => {
    archive.server.faults.set({ tooManyRequests: { count: 2, retryAfterSeconds: 7 } })
    const answers = [await zip(), await zip(), await zip()]
    expect(answers.map((one) => [one.status, one.headers['retry-after']]))
      .to.deep.equal([[429, '7'], [429, '7'], [200, undefined]])
    expect(struck()).to.deep.equal({ tooManyRequests: 2 })
  })

  it('truncate ends the connection half way through the first answers of each path', async () => {
    archive.server.faults.set({ truncate: true, firstPerPath: 1 })
    const answers = [await zip(), await zip(), await archive.ask(`/${OTHER}`)]
    expect(answers.map((one) => one.headers['content-length'])).to.deep.equal(['100000', '100000', '100000'])
    expect(answers.map((one) => [one.status, one.ended, one.body.length]))
      .to.deep.equal([[200, false, 50_000], [200, true, 100_000], [200, false, 50_000]])
    expect(struck()).to.deep.equal({ truncate: 2 })
  })

  it('truncate leaves HEAD alone', async () => {
    archive.server.faults.set({ truncate: true })
    expect((await archive.ask(`/${ZIP}`, { method: 'HEAD' })).ended).to.equal(true)
    expect(struck()).to.deep.equal({})
  })

  it('flipBits turns one and the same bit of a ZIP, in whole answers and in ranges that hold it', async () => {
    archive.server.faults.set({ flipBits: true })
    const whole = (await zip()).body
    const wrong = [...whole.keys()].filter((at) => whole[at] !== CONTENT[at])
    expect(wrong).to.have.lengthOf(1)
    const at = wrong[0] ?? 0
    expect(at).to.be.within(25_000, 75_000)
    expect([1, 2, 4, 8, 16, 32, 64, 128]).to.include((whole[at] ?? 0) ^ (CONTENT[at] ?? 0))
    const ranged = await archive.ask(`/${ZIP}`, { headers: { range: `bytes=${at}-${at}` } })
    expect(ranged.body[0]).to.equal(whole[at])
    const without = await archive.ask(`/${ZIP}`, { headers: { range: `bytes=${at + 1}-` } })
    expect(without.body.equals(CONTENT.subarray(at + 1))).to.equal(true)
    expect((await archive.ask(`/${CHECKSUM}`)).text).to.include(DIGEST)
    expect(struck()).to.deep.equal({ flipBits: 2 })
  })

  it('staleChecksum gives another digest of the right form', async () => {
    archive.server.faults.set({ staleChecksum: true })
    const got = await archive.ask(`/${CHECKSUM}`)
    expect(got.text).to.match(/^[0-9a-f]{64} {2}BTCUSDT-1h-2024-11\.zip$/).and.not.include(DIGEST)
    expect(got.headers.etag).to.equal(`"${createHash('md5').update(got.body).digest('hex')}"`)
    expect((await zip()).body.equals(CONTENT)).to.equal(true)
    expect(struck()).to.deep.equal({ staleChecksum: 1 })
  })

  it('foreignChecksum names another file', async () => {
    archive.server.faults.set({ foreignChecksum: true })
    expect((await archive.ask(`/${CHECKSUM}`)).text).to.equal(`${DIGEST}  OTHER-BTCUSDT-1h-2024-11.zip`)
    expect(struck()).to.deep.equal({ foreignChecksum: 1 })
  })

  it('missingChecksum answers 404 for a CHECKSUM that is listed', async () => {
    archive.server.faults.set({ missingChecksum: true })
    expect((await archive.ask(`/${CHECKSUM}`)).status).to.equal(404)
    expect((await zip()).status).to.equal(200)
    expect((await archive.ask('/?prefix=data/')).text).to.include(CHECKSUM)
    expect(struck()).to.deep.equal({ missingChecksum: 1 })
  })

  it('htmlPage gives a web page with status 200', async () => {
    archive.server.faults.set({ htmlPage: true, match: /\.zip$/ })
    const got = await zip()
    expect([got.status, got.headers['content-type'], got.headers.etag]).to.deep.equal([200, 'text/html', undefined])
    expect(got.text).to.match(/^<!doctype html>/)
    expect((await archive.ask(`/${CHECKSUM}`)).text).to.include(DIGEST)
    expect(struck()).to.deep.equal({ htmlPage: 1 })
  })

  it('stallAfterBytes stops the body and keeps the connection', async () => {
    archive.server.faults.set({ stallAfterBytes: 1000 })
    const got = await archive.ask(`/${ZIP}`, { idleMs: 100 })
    expect([got.status, got.body.length, got.ended]).to.deep.equal([200, 1000, false])
    expect((await archive.ask(`/${CHECKSUM}`)).ended, 'a body that is shorter').to.equal(true)
    expect(struck()).to.deep.equal({ stallAfterBytes: 1 })
  })

  it('stallAfterBytes 0 sends the headers only', async () => {
    archive.server.faults.set({ stallAfterBytes: 0 })
    const got = await archive.ask(`/${ZIP}`, { idleMs: 100 })
    expect([got.status, got.headers['content-length'], got.body.length]).to.deep.equal([200, '100000', 0])
  })

  it('redirectTo sends the client to the same path elsewhere', async () => {
    archive.server.faults.set({ redirectTo: 'http://elsewhere.example/' })
    const got = await zip()
    expect([got.status, got.headers.location]).to.deep.equal([302, `http://elsewhere.example/${ZIP}`])
    expect(struck()).to.deep.equal({ redirectTo: 1 })
  })

  it('dropFrom resets the connection after so many bytes, or before the status line', async () => {
    archive.server.faults.set({ dropFrom: 500 })
    // A reset may overtake the bytes before it: then the asker sees none of them.
    const got = await zip().catch((error: unknown) => error as NodeJS.ErrnoException)
    if (got instanceof Error) expect(got.code).to.equal('ECONNRESET')
    else {
      expect(got.ended).to.equal(false)
      expect(got.body.length).to.be.at.most(500)
    }
    archive.server.faults.set({ dropFrom: 0 })
    const thrown: unknown = await zip().catch((error: unknown) => error)
    expect(thrown).to.have.property('code', 'ECONNRESET')
    expect(struck()).to.deep.equal({ dropFrom: 2 })
  })

  it('hide takes keys out of the listing and answers 404', async () => {
    archive.server.faults.set({ hide: ['2024-11'] })
    expect((await zip()).status).to.equal(404)
    const listed = (await archive.ask('/?prefix=data/')).text
    expect(listed).to.include(OTHER).and.not.include('2024-11')
    expect(struck()).to.deep.equal({ hide: 3 })
    archive.server.faults.clear()
    expect((await zip()).status, 'published at last').to.equal(200)
  })

  it('hide leaves no folder whose keys are all hidden', async () => {
    archive.server.faults.set({ hide: [/^\/data\/spot\/monthly\/klines\/BTCUSDT\//] })
    expect((await archive.ask('/?prefix=data/&delimiter=/')).text).not.to.include('data/spot/')
  })

  it('match and times keep a fault to some requests, and of several rules the first that strikes decides', async () => {
    archive.server.faults.set([
      { match: '2024-12', errorRate: 1, errorStatus: 500, times: 1 },
      { match: /2024-1[12]\.zip$/, errorRate: 1, errorStatus: 503 },
    ])
    const statuses = []
    for (const key of [ZIP, OTHER, OTHER, CHECKSUM]) statuses.push((await archive.ask(`/${key}`)).status)
    expect(statuses).to.deep.equal([503, 500, 503, 200])
    expect(struck()).to.deep.equal({ errorRate: 3 })
  })

  it('rate strikes that part of the requests, whatever order they come in', () => {
    const struckBy = (order: number[]): number[] => {
      const faults = new Faults({ truncate: true, rate: 0.25 }, 3)
      return order.filter((n) => faults.strike('truncate', `/data/${n}.zip`)).sort((a, b) => a - b)
    }
    const numbers = [...Array(400).keys()]
    const forward = struckBy(numbers)
    expect(forward.length).to.be.within(60, 140)
    expect(struckBy(numbers.reverse())).to.deep.equal(forward)
  })

  it('a regular expression with a memory matches every time', () => {
    const faults = new Faults({ htmlPage: true, match: /zip/g })
    expect([1, 2, 3].map(() => faults.strike('htmlPage', '/data/a.zip') !== null)).to.deep.equal([true, true, true])
  })

  it('refuses numbers that mean nothing', () => {
    for (const rule of [
      { errorRate: 1.5 }, { rate: -1 }, { latencyMs: NaN }, { errorStatus: 200 }, { redirectTo: 'elsewhere' },
      { times: -1 }, { tooManyRequests: { count: -1, retryAfterSeconds: 1 } },
    ]) {
      expect(() => new Faults(rule), JSON.stringify(rule)).to.throw().with.property('code', 'BAD_CONFIG')
    }
  })

  it('has a count for every fault', () => {
    expect(Object.keys(archive.server.faults.counts)).to.have.members([...FAULT_KINDS])
  })
})

describe('archive server: closing', () => {
  it('ends stalled, slow and idle connections, and closes twice', async () => {
    const rules = [{ match: 'stalls', stallAfterBytes: 1 }, { match: 'slow', latencyMs: 60_000 }]
    const archive = await archiveUnderTest({ faults: rules })
    await archive.put('data/stalls.zip', 'content')
    const idle = connect(archive.server.port, '127.0.0.1')
    await once(idle, 'connect')
    const idleEnds = once(idle, 'close')
    const stalled = archive.ask('/data/stalls.zip')
    const slow = archive.ask('/data/slow.zip').catch(() => 'ended')
    const { faults, requests } = archive.server
    while (faults.counts.latencyMs < 1 || !requests.some((one) => one.bytes === 1)) await new Promise(setImmediate)
    await Promise.all([archive.server.close(), archive.server.close()])
    expect((await stalled).ended).to.equal(false)
    expect(await slow).to.equal('ended')
    await idleEnds
    await archive.close()
  })

  it('refuses a root without data and a port that is taken, by code', async () => {
    const archive = await archiveUnderTest()
    try {
      const codeOf = (o: { root: string; port?: number }): Promise<unknown> =>
        startArchiveServer(o).then(() => 'started', (error: unknown) => error)
      expect(await codeOf({ root: `${archive.root}/data` })).to.have.property('code', 'BAD_CONFIG')
      expect(await codeOf({ root: `${archive.root}/nothing` })).to.have.property('code', 'BAD_CONFIG')
      const taken = await codeOf({ root: archive.root, port: archive.server.port })
      expect(taken).to.have.property('code', 'BAD_CONFIG')
      expect(taken).to.have.property('at', '--port')
    } finally {
      await archive.close()
    }
  })
})
