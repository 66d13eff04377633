import { expect } from 'chai'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { archiveUnderTest, type ArchiveUnderTest } from './archive-under-test.js'

const PREFIX = 'data/spot/daily/klines/BTCUSDT/1h/'

/** The texts of an element, entities resolved. */
function textsOf(xml: string, name: string): string[] {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  const plain = (text: string): string => text.replace(/&([^;]+);/g, (_, one: string) => entities[one] ?? one)
  return [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((m) => plain(m[1] ?? ''))
}

const prefixesOf = (xml: string): string[] => textsOf(xml.replace(/^.*?<IsTruncated>/s, ''), 'Prefix')

describe('archive server: listing', () => {
  let archive: ArchiveUnderTest
  const list = async (query: Record<string, string>): Promise<string> =>
    (await archive.ask(`/?${new URLSearchParams(query).toString()}`)).text
  const keys: string[] = []

  before(async () => {
    archive = await archiveUnderTest()
    for (let day = 0; day < 1100; day++) {
      const date = new Date(Date.UTC(2020, 0, 1 + day)).toISOString().slice(0, 10)
      keys.push(`${PREFIX}BTCUSDT-1h-${date}.zip`, `${PREFIX}BTCUSDT-1h-${date}.zip.CHECKSUM`)
    }
    await mkdir(join(archive.root, PREFIX), { recursive: true })
    await Promise.all(keys.map((key) => archive.put(key, 'x')))
    for (const symbol of ['BTCUSDT', 'BTCUSDT_240329', 'BTCUSDT-A', 'ETHUSDT', '币安人生USDT', "A&B<'>"]) {
      await archive.put(`data/spot/daily/klines/${symbol}/1d/one.zip`, 'x')
    }
    await mkdir(join(archive.root, 'data/spot/daily/klines/EMPTYUSDT/1h'), { recursive: true })
  })
  after(() => archive.close())

  it('gives 1000 keys a page in V1, ZIP and CHECKSUM by turns, and no NextMarker without a delimiter', async () => {
    const xml = await list({ prefix: PREFIX })
    expect(textsOf(xml, 'Key')).to.deep.equal(keys.slice(0, 1000))
    expect(textsOf(xml, 'IsTruncated')).to.deep.equal(['true'])
    expect(textsOf(xml, 'NextMarker')).to.deep.equal([])
    expect([textsOf(xml, 'Name'), textsOf(xml, 'MaxKeys'), textsOf(xml, 'Marker')])
      .to.deep.equal([['data.binance.vision'], ['1000'], ['']])
    expect(xml.split('<Name>')[0]).to.equal('<?xml version="1.0" encoding="UTF-8"?>\n' +
      '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">')
  })

  it('says of each key when it changed, its quoted MD5, its size and its class', async () => {
    const xml = await list({ 'prefix': PREFIX, 'max-keys': '1' })
    const contents = /<Contents>(.*)<\/Contents>/.exec(xml)?.[1] ?? ''
    expect(contents).to.match(/<LastModified>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z<\/LastModified>/)
    expect(contents).to.include('<ETag>&quot;9dd4e461268c8034f5c8564e155c67a6&quot;</ETag><Size>1</Size>')
    expect(contents).to.include('<StorageClass>STANDARD</StorageClass>')
  })

  for (const delimiter of ['', '/']) {
    it(`gives every key once over the pages of V1 with delimiter "${delimiter}"`, async () => {
      const seen: string[] = []
      let pages = 0
      for (let marker = ''; ; pages++) {
        const xml = await list({ prefix: PREFIX, marker, ...(delimiter ? { delimiter } : {}) })
        seen.push(...textsOf(xml, 'Key'))
        if (textsOf(xml, 'IsTruncated')[0] === 'false') break
        marker = (delimiter ? textsOf(xml, 'NextMarker')[0] : seen.at(-1)) ?? ''
        expect(marker).to.equal(seen.at(-1))
      }
      expect(seen).to.deep.equal(keys)
      expect(pages).to.equal(2)
    })
  }

  it('gives every key once over the pages of V2', async () => {
    const seen: string[] = []
    let token: string | undefined
    do {
      const xml: string = await list({
        'list-type': '2', 'prefix': PREFIX, 'max-keys': '700', ...(token ? { 'continuation-token': token } : {}),
      })
      const page = textsOf(xml, 'Key')
      expect(textsOf(xml, 'KeyCount')).to.deep.equal([String(page.length)])
      expect(textsOf(xml, 'Marker')).to.deep.equal([])
      seen.push(...page)
      token = textsOf(xml, 'NextContinuationToken')[0]
    } while (token)
    expect(seen).to.deep.equal(keys)
  })

  it('starts V2 after start-after, and refuses a token it never gave', async () => {
    const xml = await list({ 'list-type': '2', 'prefix': PREFIX, 'start-after': keys[2197] ?? '' })
    expect(textsOf(xml, 'Key')).to.deep.equal(keys.slice(2198))
    const bad = await archive.ask('/?list-type=2&continuation-token=bm9uc2Vuc2U')
    expect([bad.status, textsOf(bad.text, 'Code')]).to.deep.equal([400, ['InvalidArgument']])
  })

  it('folds keys below a delimiter into sorted prefixes, leaves out empty folders and escapes XML', async () => {
    const xml = await list({ prefix: 'data/spot/daily/klines/', delimiter: '/' })
    const names = ["A&B<'>", 'BTCUSDT-A', 'BTCUSDT', 'BTCUSDT_240329', 'ETHUSDT', '币安人生USDT']
    expect(prefixesOf(xml)).to.deep.equal(names.map((name) => `data/spot/daily/klines/${name}/`))
    expect(xml).to.include('A&amp;B&lt;&#39;&gt;/')
    expect([textsOf(xml, 'Key'), textsOf(xml, 'Delimiter')]).to.deep.equal([[], ['/']])
  })

  it('counts prefixes and keys alike, and goes on after a prefix that a page ended with', async () => {
    await archive.put('data/spot/daily/klines/CEEUSDT.zip', 'x')
    const seen: string[] = []
    for (let marker: string | undefined = ''; marker !== undefined; ) {
      const xml: string = await list({ 'prefix': 'data/spot/daily/klines/', 'delimiter': '/', 'max-keys': '2', marker })
      const entries = [...prefixesOf(xml), ...textsOf(xml, 'Key')]
      expect(entries.length).to.be.within(1, 2)
      seen.push(...entries.sort())
      marker = textsOf(xml, 'NextMarker')[0]
    }
    expect(seen).to.have.lengthOf(7)
    expect(new Set(seen).size).to.equal(7)
    expect(seen).to.include('data/spot/daily/klines/CEEUSDT.zip')
  })

  it('still lists a prefix when the marker lies among its keys', async () => {
    const at = (marker: string) => list({ prefix: 'data/spot/daily/klines/', delimiter: '/', marker })
    expect(prefixesOf(await at(keys[5] ?? ''))[0]).to.equal('data/spot/daily/klines/BTCUSDT/')
    const [next] = prefixesOf(await at('data/spot/daily/klines/BTCUSDT/'))
    expect(next).to.equal('data/spot/daily/klines/BTCUSDT_240329/')
  })

  it('takes a prefix that ends within a name, and any delimiter', async () => {
    const xml = await list({ prefix: `${PREFIX}BTCUSDT-1h-2022-12`, delimiter: '.' })
    expect(prefixesOf(xml)).to.have.lengthOf(31)
    expect(prefixesOf(xml)[0]).to.equal(`${PREFIX}BTCUSDT-1h-2022-12-01.`)
  })

  it('sorts by UTF-8 bytes, also where UTF-16 sorts otherwise', async () => {
    const [wide, high] = ['data/sort/\u{20000}.zip', 'data/sort/\uff21.zip']
    await archive.put(wide, 'x')
    await archive.put(high, 'x')
    expect(textsOf(await list({ prefix: 'data/sort/' }), 'Key')).to.deep.equal([high, wide])
  })

  it('encodes keys when asked to', async () => {
    const query = { 'prefix': 'data/spot/daily/klines/币安', 'encoding-type': 'url' }
    const xml = await list(query)
    expect(textsOf(xml, 'EncodingType')).to.deep.equal(['url'])
    const symbol = encodeURIComponent('币安人生USDT')
    expect(textsOf(xml, 'Key')).to.deep.equal([`data/spot/daily/klines/${symbol}/1d/one.zip`])
  })

  it('lists nothing for a prefix nobody has, for max-keys 0, and never more than 1000', async () => {
    const [none, zero, many] = await Promise.all([
      list({ prefix: 'data/nothing/' }), list({ 'prefix': PREFIX, 'max-keys': '0' }),
      list({ 'prefix': PREFIX, 'max-keys': '5000' }),
    ])
    expect([none, zero].flatMap((xml) => textsOf(xml, 'Key'))).to.deep.equal([])
    expect([none, zero].map((xml) => textsOf(xml, 'IsTruncated')[0])).to.deep.equal(['false', 'false'])
    expect([textsOf(many, 'Key').length, textsOf(many, 'MaxKeys')[0]]).to.deep.equal([1000, '1000'])
    expect((await archive.ask('/?max-keys=many')).status).to.equal(400)
  })

  it('lists only data, also without a prefix, and under the bucket\'s own path', async () => {
    await archive.put('notes.txt', 'x')
    for (const path of ['/?delimiter=/', '/data.binance.vision?delimiter=/', '/data.binance.vision/?delimiter=%2F']) {
      const xml = (await archive.ask(path)).text
      expect([prefixesOf(xml), textsOf(xml, 'Key')], path).to.deep.equal([['data/'], []])
    }
  })

  it('does not walk in circles', async () => {
    await archive.put('data/circle/one.zip', 'x')
    await symlink(join(archive.root, 'data'), join(archive.root, 'data/circle/up'))
    expect(textsOf(await list({ prefix: 'data/circle/' }), 'Key')).to.deep.equal(['data/circle/one.zip'])
  })
})
