import { expect } from 'chai'
import { parseListingPage } from '../../../../src/adapters/binance/listing-page.js'

const OPEN = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
const page = (inner: string): string => `<?xml version="1.0" encoding="UTF-8"?>\n${OPEN}${inner}</ListBucketResult>`
const prefix = (text: string): string => `<CommonPrefixes><Prefix>${text}</Prefix></CommonPrefixes>`
const contents = (key: string): string => `<Contents><Key>${key}</Key></Contents>`

describe('parseListingPage', () => {
  it('reads keys with what is said of them, and null for what is not', () => {
    const read = parseListingPage(
      page(
        '<IsTruncated>false</IsTruncated>' +
          '<Contents><Key>data/a.zip</Key><LastModified>2022-03-21T08:58:02.000Z</LastModified>' +
          '<ETag>&quot;4c65e8f69a3ebae0cebef683f18dff3c&quot;</ETag><Size>1387</Size></Contents>' +
          '<Contents><Key>data/b.zip</Key></Contents>',
      ),
    )
    expect(read).to.deep.equal({
      objects: [
        {
          key: 'data/a.zip',
          bytes: 1_387,
          etag: '4c65e8f69a3ebae0cebef683f18dff3c',
          lastModified: '2022-03-21T08:58:02.000Z',
        },
        { key: 'data/b.zip', bytes: null, etag: null, lastModified: null },
      ],
      prefixes: [],
      next: null,
    })
  })

  it('takes names as text, also those that look like numbers or hold entities', () => {
    const odd = contents('a&amp;b&lt;&#x5E01;&#23433;&apos; &amp;amp;.zip')
    const read = parseListingPage(page(prefix('1e3/') + prefix('0x1F/') + contents('2024') + odd))
    expect(read?.prefixes).to.deep.equal(['1e3/', '0x1F/'])
    expect(read?.objects.map((o) => o.key)).to.deep.equal(['2024', 'a&b<币安\' &amp;.zip'])
  })

  it('decodes keys of the url encoding, and only of that', () => {
    const inner = contents('a%2Bb+c%E5%B8%81.zip')
    expect(parseListingPage(page(`<EncodingType>url</EncodingType>${inner}`))?.objects[0]?.key).to.equal('a+b c币.zip')
    expect(parseListingPage(page(inner))?.objects[0]?.key).to.equal('a%2Bb+c%E5%B8%81.zip')
  })

  it('finds the next page in the three ways it may be stated', () => {
    const more = '<IsTruncated>true</IsTruncated><Contents><Key>k1</Key></Contents>'
    const token = '<NextContinuationToken>1+/=&amp;x</NextContinuationToken>'
    const nextOf = (inner: string) => parseListingPage(page(inner))?.next
    expect(nextOf(more + token)).to.deep.equal({ token: '1+/=&x' })
    expect(nextOf(`${more}<NextMarker>k9</NextMarker>`)).to.deep.equal({ marker: 'k9' })
    expect(nextOf(more)).to.deep.equal({ marker: 'k1' })
    expect(nextOf(more + prefix('k0/') + prefix('k2/'))).to.deep.equal({ marker: 'k2/' })
  })

  it('expands no entity that a document defines, and reads no outside one', () => {
    const entities = '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">'
    const doctype = `<!DOCTYPE r [${entities}]>`
    const read = parseListingPage(doctype + page('<Contents><Key>&b;&f;</Key></Contents>').replace(/^.*\n/, ''))
    if (read !== null) expect(read.objects.map((o) => o.key)).to.deep.equal(['&b;&f;'])
  })

  const others = ['', '{}', '<html><body>hello</body></html>', '<Error><Code>AccessDenied</Code></Error>', 'a < b']
  for (const text of [...others, '<ListBucketResult']) {
    it(`is null for ${JSON.stringify(text)}`, () => expect(parseListingPage(text)).to.equal(null))
  }

  it('reads an empty bucket', () => {
    const read = parseListingPage(page('<IsTruncated>false</IsTruncated>'))
    expect(read).to.deep.equal({ objects: [], prefixes: [], next: null })
  })
})
