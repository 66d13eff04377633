import { expect } from 'chai'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Agent } from 'undici'
import { httpSource } from '../../../src/adapters/remote-parquet/http-source.js'
import type { RangeSource } from '../../../src/domain/ports/range-source.js'
import { failingWith } from '../../support/failing-with.js'

const signal = new AbortController().signal
const MIB = 1024 ** 2
const FILE = Buffer.from('0123456789')
const VERSION = { etag: '"1"', bytes: FILE.length }

describe('servers of files by ranges', () => {
  let server: Server
  let agent: Agent
  let answer: (request: IncomingMessage, response: ServerResponse) => void
  const asked: string[] = []

  before(async () => {
    server = createServer((request, response) => {
      asked.push(`${request.method} ${request.headers.range ?? ''}`.trim())
      answer(request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    agent = new Agent()
  })

  beforeEach(() => {
    asked.length = 0
  })

  after(async () => {
    await agent.destroy()
    await new Promise((resolve) => server.close(resolve))
  })

  const host = (): string => `127.0.0.1:${(server.address() as AddressInfo).port}`
  const source = (rest = '/file.parquet'): RangeSource => httpSource(`http://${host()}${rest}`, agent)
  const read = (from: RangeSource, end = 4): Promise<Buffer> => from.read({ start: 2, end, version: VERSION, signal })

  /** A server as an address signed for GET alone sees it. */
  const ranges = (refusal: number) => (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'HEAD') return void response.writeHead(refusal).end()
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')!.map(Number)
    response.writeHead(206, { etag: '"1"', 'content-range': `bytes ${from}-${to}/${FILE.length}` })
    response.end(FILE.subarray(from, to! + 1))
  }

  for (const refusal of [401, 403, 405]) {
    it(`one that answers HEAD with ${refusal} is asked for one byte`, async () => {
      answer = ranges(refusal)
      const from = source()
      expect(await from.head(signal)).to.deep.equal(VERSION)
      expect(await from.head(signal)).to.deep.equal(VERSION)
      expect(asked).to.deep.equal(['HEAD', 'GET bytes=0-0', 'GET bytes=0-0'])
      expect(String(await read(from))).to.equal('23')
    })
  }

  it('one that sends the whole file in place of a range is refused before it is read', async () => {
    let sent = 0
    answer = (_, response) => {
      response.writeHead(200, { etag: '"1"', 'content-length': 512 * MIB })
      const piece = Buffer.alloc(MIB)
      const more = (): void => {
        while (!response.destroyed && sent < 512 * MIB) {
          sent += MIB
          if (!response.write(piece)) return
        }
      }
      response.on('drain', more).on('error', () => undefined)
      more()
    }
    for (const asking of [read(source()), source().tail(4, signal)]) {
      const error = await failingWith('BAD_USAGE', asking)
      expect(error.message).to.equal('its server does not answer ranges')
    }
    expect(sent).to.be.lessThan(64 * MIB)
  })

  it('one that gives no length with the whole file is refused too', async () => {
    answer = (_, response) => response.writeHead(200, { etag: '"1"' }).end(FILE)
    const error = await failingWith('BAD_USAGE', read(source()))
    expect(error.message).to.equal('its server does not answer ranges')
  })

  it('a short file may come whole', async () => {
    answer = (_, response) => response.writeHead(200, { etag: '"1"', 'content-length': FILE.length }).end(FILE)
    expect(String(await read(source(), 7))).to.equal('23456')
  })

  it('another ETag is seen before the bytes are read', async () => {
    answer = (_, response) => {
      response.writeHead(206, { etag: '"2"', 'content-range': 'bytes 2-3/10', 'content-length': 2 })
      response.flushHeaders()
    }
    await failingWith('PRECONDITION_FAILED', read(source()))
  })

  it('an error that comes with an endless page ends', async () => {
    answer = (_, response) => {
      response.writeHead(404)
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(MIB)));
      }
      response.on('drain', more).on('error', () => undefined)
      more()
    }
    await failingWith('OBJECT_ABSENT', read(source()))
  })

  it('denials and redirects say what to do, and errors never hold the query', async () => {
    answer = (_, response) => response.writeHead(403).end('no')
    const denied = await failingWith('STORE_DENIED', read(source('/a.parquet?sig=canary')))
    expect(denied.do).to.equal('renew the address or its password')
    expect(JSON.stringify([denied.message, denied.facts])).to.not.include('canary')
    answer = (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
    const moved = await failingWith('BAD_USAGE', read(source()))
    expect(moved.message).to.equal('it redirects, which is not followed')
    expect(moved.do).to.be.a('string')
  })

  it('a password with a bare % is taken as it is written', async () => {
    const seen: (string | undefined)[] = []
    answer = (request, response) => {
      seen.push(request.headers.authorization)
      ranges(405)(request, response)
    }
    expect(String(await read(httpSource(`http://u:pa%zz@${host()}/file.parquet`, agent)))).to.equal('23')
    expect(seen).to.deep.equal([`Basic ${Buffer.from('u:pa%zz').toString('base64')}`])
  })

  it('parts are kept by what the query names, whatever it is signed with', () => {
    const plain = source('/a.parquet')
    expect(plain.cacheId).to.equal(plain.id)
    expect(source('/a.parquet?X-Amz-Signature=1&X-Amz-Date=2&Expires=3').cacheId).to.equal(plain.id)
    const [one, other] = [source('/a.parquet?id=1&sig=x'), source('/a.parquet?id=2&sig=x')]
    expect(one.cacheId).to.not.equal(other.cacheId)
    expect(one.cacheId).to.equal(source('/a.parquet?sig=y&id=1').cacheId)
    expect(one.id).to.equal(plain.id)
    expect(one.cacheId).to.not.include('id=1')
  })
})
