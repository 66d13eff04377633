import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { S3Refusal } from './s3-error.js'

/** Who may ask: secrets by access key. */
export type Keys = Readonly<Record<string, string>>

const SKEW_MS = 900_000

/** Checks the signature (version 4, in the header) over what came in: method, path, query, signed headers, payload hash. */
export function checkSignature(request: IncomingMessage, keys: Keys): void {
  const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/
    .exec(request.headers.authorization ?? '')
  if (!m) throw new S3Refusal(403, 'AccessDenied', 'there is no signature')
  const [, id = '', day = '', region = '', signed = '', signature = ''] = m
  const secret = keys[id]
  if (secret === undefined) throw new S3Refusal(403, 'InvalidAccessKeyId')
  const stamp = header(request, 'x-amz-date')
  if (!signed.split(';').includes('host')) throw new S3Refusal(403, 'AccessDenied', 'the host is not signed')
  if (Math.abs(Date.now() - timeOf(stamp)) > SKEW_MS) throw new S3Refusal(403, 'RequestTimeTooSkewed')
  const scope = `${day}/${region}/s3/aws4_request`
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, sha256(canonical(request, signed.split(';')))].join('\n')
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>((at, part) => hmac(at, part), `AWS4${secret}`)
  if (timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'))) return
  throw new S3Refusal(403, 'SignatureDoesNotMatch')
}

function canonical(request: IncomingMessage, signed: readonly string[]): string {
  const [path = '', query = ''] = (request.url ?? '').split('?', 2)
  const pairs = query.split('&').filter((pair) => pair !== '').map((pair) => (pair.includes('=') ? pair : `${pair}=`))
  const headers = signed.map((name) => `${name}:${header(request, name).trim().replace(/ +/g, ' ')}\n`)
  return [
    request.method, path, pairs.sort().join('&'), headers.join(''), signed.join(';'), header(request, 'x-amz-content-sha256'),
  ].join('\n')
}

const header = (request: IncomingMessage, name: string): string => String(request.headers[name] ?? '')

const timeOf = (stamp: string): number =>
  Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
