import { expect } from 'chai'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { archiveUnderTest, temporaryFolder, type ArchiveUnderTest } from './archive-under-test.js'

const KEY = 'data/spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-11.zip'
const CONTENT = Buffer.concat([Buffer.from('PK\u0003\u0004'), randomBytes(996)])
const ETAG = `"${createHash('md5').update(CONTENT).digest('hex')}"`
const CHANGED = new Date('2024-12-01T03:00:00.700Z')
const CHANGED_TEXT = 'Sun, 01 Dec 2024 03:00:00 GMT'

describe('archive server: objects', () => {
  let archive: ArchiveUnderTest
  before(async () => {
    archive = await archiveUnderTest()
    const path = await archive.put(KEY, CONTENT)
    await utimes(path, CHANGED, CHANGED)
  })
  after(() => archive.close())

  it('serves a ZIP whole, with its MD5 as ETag and the time of its last change', async () => {
    const got = await archive.ask(`/${KEY}`)
    expect(got.status).to.equal(200)
    expect(got.body.equals(CONTENT)).to.equal(true)
    expect(got.headers).to.include({
      'etag': ETAG, 'content-type': 'application/zip', 'content-length': '1000', 'accept-ranges': 'bytes',
      'last-modified': CHANGED_TEXT,
    })
  })

  it('answers HEAD with the headers of GET and no body', async () => {
    const got = await archive.ask(`/${KEY}`, { method: 'HEAD' })
    expect([got.status, got.body.length]).to.deep.equal([200, 0])
    expect(got.headers).to.include({ 'etag': ETAG, 'content-length': '1000', 'accept-ranges': 'bytes' })
  })

  const ranges = [['bytes=10-19', 10, 19], ['bytes=990-', 990, 999], ['bytes=-1', 999, 999]] as const
  for (const [range, first, last] of ranges) {
    it(`answers ${range} with 206 and those bytes`, async () => {
      const got = await archive.ask(`/${KEY}`, { headers: { range } })
      expect(got.status).to.equal(206)
      expect(got.headers['content-range']).to.equal(`bytes ${first}-${last}/1000`)
      expect(got.body.equals(CONTENT.subarray(first, last + 1))).to.equal(true)
    })
  }

  it('answers a range past the end with 416 and the size', async () => {
    const got = await archive.ask(`/${KEY}`, { headers: { range: 'bytes=1000-' } })
    expect([got.status, got.headers['content-range']]).to.deep.equal([416, 'bytes */1000'])
    expect(got.text).to.include('<Code>InvalidRange</Code>')
  })

  const conditions = [
    ['if-none-match', ETAG, 304], ['if-none-match', `W/${ETAG}`, 304], ['if-none-match', '*', 304],
    ['if-none-match', `"0", ${ETAG}`, 304], ['if-none-match', '"0"', 200],
    ['if-match', ETAG, 200], ['if-match', '*', 200], ['if-match', '"0"', 412],
    ['if-modified-since', CHANGED_TEXT, 304], ['if-modified-since', 'Sun, 01 Dec 2024 02:59:59 GMT', 200],
    ['if-unmodified-since', CHANGED_TEXT, 200], ['if-unmodified-since', 'Sun, 01 Dec 2024 02:59:59 GMT', 412],
  ] as const
  for (const [header, value, status] of conditions) {
    it(`answers ${header}: ${value.replace(ETAG, '<etag>')} with ${status}`, async () => {
      const got = await archive.ask(`/${KEY}`, { headers: { [header]: value } })
      expect(got.status).to.equal(status)
      expect(got.body.length).to.equal(status === 200 ? 1000 : status === 304 ? 0 : got.body.length)
      if (status !== 412) expect(got.headers.etag).to.equal(ETAG)
      else expect(got.text).to.include('<Code>PreconditionFailed</Code>')
    })
  }

  it('keeps to a range while If-Range names the object, and sends all of it otherwise', async () => {
    const ask = (ifRange: string) => archive.ask(`/${KEY}`, { headers: { 'range': 'bytes=0-9', 'if-range': ifRange } })
    const statuses = await Promise.all([ETAG, CHANGED_TEXT, '"0"', 'Sun, 01 Dec 2024 02:59:59 GMT'].map(ask))
    expect(statuses.map((one) => one.status)).to.deep.equal([206, 206, 200, 200])
  })

  it('gives another ETag when the file changes', async () => {
    const key = 'data/spot/changing.zip'
    await archive.put(key, 'one')
    const one = await archive.ask(`/${key}`)
    await archive.put(key, 'other')
    const two = await archive.ask(`/${key}`)
    expect(two.text).to.equal('other')
    expect(two.headers.etag).not.to.equal(one.headers.etag)
    expect(two.headers.etag).to.equal(`"${createHash('md5').update('other').digest('hex')}"`)
  })

  it('serves an empty file', async () => {
    await archive.put('data/spot/empty.zip', '')
    const got = await archive.ask('/data/spot/empty.zip')
    expect([got.status, got.body.length]).to.deep.equal([200, 0])
    expect(got.headers.etag).to.equal('"d41d8cd98f00b204e9800998ecf8427e"')
  })

  it('answers an absent key, and a folder, with the bucket\'s 404', async () => {
    for (const target of [`/${KEY}x`, '/data/spot', `/${KEY}/below`, '/README.md', `/data/${'x'.repeat(400)}`]) {
      const got = await archive.ask(target)
      expect(got.status, target).to.equal(404)
      expect(got.headers['content-type']).to.equal('application/xml')
      expect(got.text).to.include(`<Error><Code>NoSuchKey</Code>`).and.include(`<Key>${target.slice(1)}</Key>`)
    }
  })

  it('serves percent-encoded keys of any script, and below the bucket\'s name too', async () => {
    const key = 'data/spot/daily/klines/币安人生USDT/1m/币安人生USDT-1m-2025-10-08.zip'
    await archive.put(key, 'rows')
    const got = await archive.ask(`/${encodeURI(key)}`)
    expect(got.text).to.equal('rows')
    expect((await archive.ask(`/data.binance.vision/${encodeURI(key)}`)).text).to.equal('rows')
    expect(archive.server.requests.at(-2)?.path).to.equal(`/${key}`)
  })

  it('refuses every way out of the folder', async () => {
    const beside = `${archive.root}-beside`
    await mkdir(beside)
    await writeFile(join(beside, 'secret.zip'), 'secret')
    try {
      const name = beside.slice(beside.lastIndexOf('/') + 1)
      await writeFile(join(archive.root, 'secret.zip'), 'secret')
      for (const way of [
        `/data/../../${name}/secret.zip`, `/data/..%2f..%2f${name}/secret.zip`, `/../${name}/secret.zip`,
        '/data/%2e%2e/secret.zip', '/data/./secret.zip', '/data//secret.zip', '/data/x%00.zip', '/data/%zz',
        '/data/..%5csecret.zip', '/secret.zip',
      ]) {
        const got = await archive.ask(way)
        expect(got.status, way).to.be.oneOf([400, 404])
        expect(got.text, way).not.to.equal('secret')
      }
    } finally {
      await rm(beside, { recursive: true })
    }
  })

  it('follows a link inside the folder, and none that leads outside', async () => {
    const beside = await temporaryFolder()
    try {
      await writeFile(join(beside, 'out.zip'), 'outside')
      await symlink(join(beside, 'out.zip'), join(archive.root, 'data/out.zip'))
      await symlink(beside, join(archive.root, 'data/away'))
      await symlink(join(archive.root, KEY), join(archive.root, 'data/in.zip'))
      await symlink('nowhere', join(archive.root, 'data/broken.zip'))
      const names = ['out.zip', 'away/out.zip', 'in.zip', 'broken.zip']
      const answers = await Promise.all(names.map((name) => archive.ask(`/data/${name}`)))
      expect(answers.map((one) => one.status)).to.deep.equal([404, 404, 200, 404])
      const listed = (await archive.ask('/?prefix=data/')).text
      expect(listed).to.include('<Key>data/in.zip</Key>')
      expect(listed).not.to.match(/out\.zip|away|broken/)
    } finally {
      await rm(beside, { recursive: true })
    }
  })

  it('refuses other methods', async () => {
    for (const method of ['PUT', 'POST', 'DELETE']) {
      const got = await archive.ask(`/${KEY}`, { method })
      expect([got.status, got.headers.allow]).to.deep.equal([405, 'GET, HEAD'])
    }
  })

  it('logs what was asked and what was sent', async () => {
    archive.server.requests.length = 0
    await archive.ask(`/${KEY}`, { headers: { range: 'bytes=0-99' } })
    await archive.ask(`/${KEY}`, { method: 'HEAD' })
    await archive.ask('/?prefix=data%2Fnone%2F')
    expect(archive.server.requests.map(({ bytes, ...r }) => ({ ...r, sent: bytes > 0 }))).to.deep.equal([
      { method: 'GET', path: `/${KEY}`, range: 'bytes=0-99', status: 206, sent: true },
      { method: 'HEAD', path: `/${KEY}`, range: null, status: 200, sent: false },
      { method: 'GET', path: '/?prefix=data/none/', range: null, status: 200, sent: true },
    ])
    expect(archive.server.requests[0]?.bytes).to.equal(100)
  })

  it('reads a file no faster than it is taken, and answers others meanwhile', async () => {
    const size = 64 * 1024 * 1024
    await truncate(await archive.put('data/spot/large.zip', ''), size)
    archive.server.requests.length = 0
    const taker = get({ host: '127.0.0.1', port: archive.server.port, path: '/data/spot/large.zip', agent: false })
    const [answer] = (await once(taker, 'response')) as [IncomingMessage]
    expect(answer.headers['content-length']).to.equal(String(size))
    for (let round = 0; round < 20; round++) expect((await archive.ask(`/${KEY}`)).status).to.equal(200)
    const sent = archive.server.requests[0]?.bytes ?? 0
    expect(sent).to.be.greaterThan(0).and.lessThan(size / 2)
    taker.destroy()
  })
})
