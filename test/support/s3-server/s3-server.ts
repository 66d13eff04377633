import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tempFolder } from '../temp-folder.js'
import { S3Bucket } from './s3-bucket.js'
import { S3Refusal, xml } from './s3-error.js'
import { answer, type Dialect } from './s3-routes.js'
import { checkSignature, type Keys } from './s3-signature.js'

export type TestS3Server = {
  readonly endpoint: string
  /** What the server holds, for a test to look at behind the protocol. */
  bucket(name: string): S3Bucket
  close(): Promise<void>
}

/**
 * The part of S3 that this project speaks, over HTTP: signatures checked, bodies streamed to files, conditions judged in
 * the step that makes a write visible. Made because the emulators on npm lack conditions, ListMultipartUploads, or Node 20;
 * what it answers is compared with independent servers by running the same suites over those (TEST_S3_ENDPOINT).
 * `aheadMs` is how wrong its clock is; one that `ignoresDigests` checks what is signed, and not the bytes against it.
 */
export async function startS3Server(
  o: { keys: Keys; dialect?: Dialect; aheadMs?: number; ignoresDigests?: boolean },
): Promise<TestS3Server> {
  const now = (): Date => new Date(Date.now() + (o.aheadMs ?? 0))
  const folder = await tempFolder()
  const buckets = new Map<string, S3Bucket>()
  const bucketOf = (name: string): S3Bucket => {
    const known = buckets.get(name)
    if (known) return known
    const made = new S3Bucket(folder.path, now)
    buckets.set(name, made)
    return made
  }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('date', now().toUTCString())
    try {
      checkSignature(request, o.keys)
      const { bucket: name, key, query } = placeOf(request.url ?? '')
      if (key === '' && request.method === 'PUT') bucketOf(name)
      const bucket = buckets.get(name)
      if (!bucket) throw new S3Refusal(404, 'NoSuchBucket')
      if (key === '' && request.method === 'PUT') return void response.end()
      await answer({
        request, response, bucket, buckets, key, query,
        dialect: o.dialect ?? 'standard', ignoresDigests: o.ignoresDigests ?? false,
      })
    } catch (thrown) {
      refuse(request, response, thrown)
    }
  }
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket: bucketOf,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await folder.remove()
    },
  }
}

function placeOf(url: string): { bucket: string; key: string; query: ReadonlyMap<string, string> } {
  const [path = '', search = ''] = url.split('?', 2)
  const [, bucket = '', ...rest] = path.split('/').map(decodeURIComponent)
  return { bucket, key: rest.join('/'), query: new Map(new URLSearchParams(search)) }
}

function refuse(request: IncomingMessage, response: ServerResponse, thrown: unknown): void {
  if (response.headersSent) return void response.destroy()
  const known = thrown instanceof S3Refusal ? thrown : new S3Refusal(500, 'InternalError', String(thrown))
  const body = request.method === 'HEAD' ? '' : xml('Error', { Code: known.code, Message: known.message })
  request.resume()
  response.writeHead(known.status, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) }).end(body)
}
