import { expect } from 'chai'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Agent } from 'undici'
import { S3Transport } from '../../../src/adapters/s3-store/s3-transport.js'

// One chunk that fills the buffer of the body: the parser pauses when nothing is left to parse.
const BYTES = 65_536

describe('a body that is read slowly over a connection that the server closes behind it', () => {
  // undici 7.26 to 7.30 end the process here: an assertion fails where nobody can catch it (nodejs/undici#5360).
  it('arrives whole', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BYTES}\r\nConnection: close\r\n\r\n`)
        socket.end(Buffer.alloc(BYTES, 'x'))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const transport = new S3Transport(new Agent())
    const failures: unknown[] = []
    const caught = (thrown: unknown): void => void failures.push(thrown)
    process.on('uncaughtException', caught)
    try {
      const { port } = server.address() as AddressInfo
      for (let n = 0; n < 5; n++) {
        const { response } = await transport.handle({
          method: 'GET', protocol: 'http:', hostname: '127.0.0.1', port, path: '/', headers: {},
        })
        await sleep(50)
        let seen = 0
        for await (const chunk of response.body) seen += (chunk as Buffer).length
        expect(seen).to.equal(BYTES)
      }
      expect(failures).to.deep.equal([])
    } finally {
      process.off('uncaughtException', caught)
      transport.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
