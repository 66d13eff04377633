import { createServer, request as httpRequest } from 'node:http'
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { openHttp, type Http } from '../../../../src/adapters/binance/http.js'
import type { HttpOptions } from '../../../../src/adapters/binance/http-options.js'
import { failingWith } from '../../../support/failing-with.js'
import { tempFolder } from '../../../support/temp-folder.js'
import { tinyServer } from '../../../support/tiny-server.js'

const signal = new AbortController().signal

describe('the HTTP client', () => {
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  const open = (base: string, o: Partial<HttpOptions> = {}): Http => {
    const http = openHttp(base, { userAgent: 'candlelake/1.2.3', ...o })
    closing.push(() => http.close())
    return http
  }
  const serve = async (answer: Parameters<typeof tinyServer>[0]): Promise<string> => {
    const server = await tinyServer(answer)
    closing.push(() => server.close())
    return server.url
  }
  const listen = async (server: Server): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => new Promise((resolve) => server.close(resolve)))
    return (server.address() as AddressInfo).port
  }

  it('names the program, and asks below the path of its base address', async () => {
    const seen: string[] = []
    const url = await serve((req, res) => {
      seen.push(`${req.url} ${req.headers['user-agent']}`)
      res.end('x')
    })
    await (await open(`${url}/bucket/`).get({ path: '/a%20b', signal })).body.dump()
    await (await open(`${url}/bucket`).get({ path: '?prefix=x', signal })).body.dump()
    await (await open(url).get({ path: '?prefix=x', signal })).body.dump()
    expect(seen).to.deep.equal(['/bucket/a%20b', '/bucket?prefix=x', '/?prefix=x'].map((p) => `${p} candlelake/1.2.3`))
  })

  it('follows one redirect to the same origin, and no second', async () => {
    const url = await serve((req, res) => {
      if (req.url === '/a') res.writeHead(302, { location: '/b?x=1' }).end()
      else if (req.url === '/loop') res.writeHead(302, { location: '/loop' }).end()
      else res.end(req.url)
    })
    const answer = await open(url).get({ path: '/a', signal })
    expect(await answer.body.text()).to.equal('/b?x=1')
    await failingWith('ARCHIVE_REDIRECT', open(url).get({ path: '/loop', signal }))
  })

  it('follows none to another port, scheme, host or private address', async () => {
    let target = ''
    const url = await serve((_req, res) => res.writeHead(301, { location: target }).end())
    const targets = ['http://169.254.169.254/latest', 'https://example.invalid/x', url.replace(/:\d+$/, ':1')]
    targets.push('file:///etc/passwd', 'http://user:canary@example.invalid/', '//example.invalid/x', 'http://[')
    for (target of targets) {
      const error = await failingWith('ARCHIVE_REDIRECT', open(url).get({ path: '/a', signal }))
      expect(JSON.stringify(error.facts)).to.not.include('canary')
    }
  })

  it('sends the credentials of its address and never shows them', async () => {
    const seen: (string | undefined)[] = []
    const url = await serve((req, res) => {
      seen.push(req.headers.authorization)
      res.writeHead(500).end()
    })
    const http = open(url.replace('//', '//me:can%40ary@'))
    const error = await failingWith('ARCHIVE_UNREACHABLE', http.get({ path: '/x', signal }))
    expect(seen).to.deep.equal([`Basic ${Buffer.from('me:can@ary').toString('base64')}`])
    expect(http.origin).to.equal(url)
    expect(`${error.stack} ${JSON.stringify(error.facts)}`).to.not.match(/can(@|%40)ary/)
  })

  it('says what is wrong with a connection that cannot be made', async () => {
    const port = await listen(createTcpServer())
    await closing.pop()?.()
    const unreachable = (base: string) => failingWith('ARCHIVE_UNREACHABLE', open(base).get({ path: '/x', signal }))
    const refused = await unreachable(`http://127.0.0.1:${port}`)
    expect(refused.message).to.include('refused')
    expect(refused.facts).to.include({ reason: 'refused', at: `http://127.0.0.1:${port}` })
    const unknown = await unreachable('http://nowhere.invalid')
    expect(unknown.facts['reason']).to.equal('dns')
    const ssh = createTcpServer((socket) => socket.on('error', () => null).resume().end('SSH-2.0-x\r\n\r\n'))
    const odd = await unreachable(`http://127.0.0.1:${await listen(ssh)}`)
    expect(odd.message).to.include('HTTP')
  })

  it('gives up on a server that does not answer in time', async () => {
    const url = await serve(() => undefined)
    const http = open(url, { timeouts: { headersMs: 200 } })
    const error = await failingWith('ARCHIVE_UNREACHABLE', http.get({ path: '/x', signal }))
    expect(error.facts['reason']).to.equal('timeout')
  })

  it('does not wait for the end of a refusal that never ends', async () => {
    const url = await serve((_req, res) => void res.writeHead(404).write('x'))
    await failingWith('ARCHIVE_ABSENT', open(url).get({ path: '/x', signal }))
  })

  it('refuses addresses, proxies and CA files that are none', async () => {
    for (const base of ['ftp://x', 'nonsense', '', 'file:///etc']) {
      await failingWith('BAD_CONFIG', () => Promise.resolve(open(base)))
    }
    await failingWith('BAD_CONFIG', () => Promise.resolve(open('http://x', { httpProxy: 'nonsense' })))
    await failingWith('BAD_CONFIG', () => Promise.resolve(open('http://x', { caFile: '/none/ca.pem' })))
  })

  describe('through a proxy', () => {
    /** Keeps what it was asked, and passes plain requests and tunnels on. */
    const proxy = async (o: { refuse?: number } = {}): Promise<{ url: string; asked: string[]; auth: unknown[] }> => {
      const asked: string[] = []
      const auth: unknown[] = []
      const server = createServer((req, res) => {
        asked.push(`${req.method} ${req.url}`)
        auth.push(req.headers['proxy-authorization'])
        if (o.refuse) return void res.writeHead(o.refuse).end()
        const { host: _host, ...headers } = req.headers
        req.pipe(httpRequest(req.url ?? '', { headers }, (a) => a.pipe(res.writeHead(a.statusCode ?? 0, a.headers))))
      })
      server.on('connect', (req, socket, head) => {
        asked.push(`CONNECT ${req.url}`)
        auth.push(req.headers['proxy-authorization'])
        if (o.refuse) return void socket.end(`HTTP/1.1 ${o.refuse} No\r\n\r\n`)
        const [host, port] = (req.url ?? '').split(':')
        const onward = connect(Number(port), host, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n')
          onward.write(head)
          onward.pipe(socket).pipe(onward)
        })
        for (const one of [socket, onward]) one.on('error', () => null)
      })
      const port = await listen(server)
      closing.push(() => server.closeAllConnections())
      return { url: `http://127.0.0.1:${port}`, asked, auth }
    }

    it('asks it for a plain address in full, with its credentials', async () => {
      const url = await serve((req, res) => res.end(`got ${req.url}`))
      const p = await proxy()
      const http = open(url, { httpProxy: p.url.replace('//', '//me:canary@'), httpsProxy: 'http://127.0.0.1:1' })
      expect(await (await http.get({ path: '/x', signal })).body.text()).to.equal('got /x')
      expect(p.asked).to.deep.equal([`GET ${url}/x`])
      expect(p.auth).to.deep.equal([`Basic ${Buffer.from('me:canary').toString('base64')}`])
    })

    it('passes by it for the hosts of noProxy, and when only the other scheme has one', async () => {
      const url = await serve((_req, res) => res.end('direct'))
      const p = await proxy()
      for (const o of [{ httpProxy: p.url, noProxy: 'example.com,127.0.0.1' }, { httpsProxy: p.url }]) {
        expect(await (await open(url, o).get({ path: '/x', signal })).body.text()).to.equal('direct')
      }
      expect(p.asked).to.deep.equal([])
    })

    it('does not read proxies from the environment', async () => {
      const p = await proxy()
      const url = await serve((_req, res) => res.end('direct'))
      process.env['HTTP_PROXY'] = process.env['http_proxy'] = p.url
      try {
        expect(await (await open(url).get({ path: '/x', signal })).body.text()).to.equal('direct')
      } finally {
        delete process.env['HTTP_PROXY']
        delete process.env['http_proxy']
      }
      expect(p.asked).to.deep.equal([])
    })

    it('says that it refused the tunnel, without its credentials', async () => {
      const p = await proxy({ refuse: 403 })
      const http = open('https://archive.invalid', { httpsProxy: p.url.replace('//', '//me:canary@') })
      const error = await failingWith('ARCHIVE_UNREACHABLE', http.get({ path: '/x', signal }))
      expect(p.asked).to.deep.equal(['CONNECT archive.invalid:443'])
      expect(error.facts['reason']).to.equal('proxy')
      expect(`${error.stack} ${JSON.stringify(error.facts)}`).to.not.include('canary')
    })

    it('gives up on one that never answers a tunnel', async () => {
      const port = await listen(createTcpServer((socket) => void closing.push(() => socket.destroy())))
      const timeouts = { headersMs: 200, connectMs: 200 }
      const http = open('https://archive.invalid', { httpsProxy: `http://127.0.0.1:${port}`, timeouts })
      const error = await failingWith('ARCHIVE_UNREACHABLE', http.get({ path: '/x', signal }))
      expect(error.facts['reason']).to.equal('timeout')
    })
  })

  it('says that a certificate is not trusted, and trusts it by its CA file', async function () {
    this.timeout(20_000)
    const { key, cert } = await selfSigned()
    const { createServer: createTls } = await import('node:https')
    const port = await listen(createTls({ key, cert }, (_req, res) => res.end('secret')))
    const base = `https://localhost:${port}`
    const error = await failingWith('ARCHIVE_UNREACHABLE', open(base).get({ path: '/x', signal }))
    expect(error.facts['reason']).to.equal('tls')
    const folder = await tempFolder()
    closing.push(() => folder.remove())
    const caFile = join(folder.path, 'ca.pem')
    await writeFile(caFile, cert)
    expect(await (await open(base, { caFile }).get({ path: '/x', signal })).body.text()).to.equal('secret')
  })
})

async function selfSigned(): Promise<{ key: string; cert: string }> {
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-keyout', '-']
  const { stdout } = await promisify(execFile)('openssl', [...args, '-addext', 'subjectAltName=DNS:localhost'])
  const key = /-----BEGIN PRIVATE KEY-----[^]*?-----END PRIVATE KEY-----\n/.exec(stdout)?.[0] ?? ''
  return { key, cert: stdout.replace(key, '') }
}
