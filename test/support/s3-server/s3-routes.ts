import { open } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { byteOrder, type S3Bucket, type S3Object, type WriteCondition } from './s3-bucket.js'
import { preconditionFailed, S3Refusal, xml } from './s3-error.js'
import { receive } from './s3-receive.js'

/** How a server keeps conditions of writes: as AWS does, as R2 does, as MinIO does (not those of copies), or not at all. */
export type Dialect = 'standard' | 'r2' | 'parts' | 'off'

export type Call = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly bucket: S3Bucket
  readonly buckets: ReadonlyMap<string, S3Bucket>
  readonly key: string
  readonly query: ReadonlyMap<string, string>
  readonly dialect: Dialect
  readonly ignoresDigests: boolean
}

const PAGE = 1_000
const MOST_COPY_BYTES = 5 * 1_073_741_824

/** Does what one request to a bucket or an object asks for. */
export async function answer(c: Call): Promise<void> {
  const { request: { method }, key, query } = c
  if (key === '') {
    if (method === 'HEAD') return send(c, 200, {})
    if (method === 'GET' && query.has('uploads')) return listUploads(c)
    if (method === 'GET' && query.get('list-type') === '2') return listObjects(c)
    throw new S3Refusal(501, 'NotImplemented')
  }
  if (method === 'PUT') return query.has('partNumber') ? putPart(c) : c.request.headers['x-amz-copy-source'] ? copyObject(c) : putObject(c)
  if (method === 'GET' && query.has('uploadId')) return listParts(c)
  if (method === 'GET' || method === 'HEAD') return getObject(c)
  if (method === 'POST') return query.has('uploads') ? beginUpload(c) : finishUpload(c)
  if (method !== 'DELETE') throw new S3Refusal(405, 'MethodNotAllowed')
  await (query.has('uploadId') ? c.bucket.abort(query.get('uploadId') ?? '') : c.bucket.delete(key))
  send(c, 204, {})
}

async function putObject(c: Call): Promise<void> {
  const body = await receive(c.request, c.bucket.newPath(), c.ignoresDigests)
  const condition = c.dialect === 'off' ? {} : { ifMatch: one(c, 'if-match'), ifNoneMatch: one(c, 'if-none-match') }
  const { etag } = await c.bucket.commit(c.key, body, kept(c), { condition })
  send(c, 200, { etag })
}

async function copyObject(c: Call): Promise<void> {
  const from = sourceOf(c)
  if (from.bytes > MOST_COPY_BYTES) throw new S3Refusal(400, 'InvalidRequest')
  const { etag, lastModified } = await c.bucket.copy(from, c.key, copyCondition(c))
  send(c, 200, {}, xml('CopyObjectResult', { ETag: etag, LastModified: lastModified.toISOString() }))
}

function sourceOf(c: Call): S3Object {
  const [name = '', ...rest] = decodeURIComponent(one(c, 'x-amz-copy-source') ?? '').replace(/^\//, '').split('/')
  const from = c.buckets.get(name)?.get(rest.join('/'))
  if (!from) throw new S3Refusal(404, 'NoSuchBucket')
  const pinned = one(c, 'x-amz-copy-source-if-match')
  if (pinned !== undefined && pinned !== from.etag) throw preconditionFailed()
  return from
}

function copyCondition(c: Call): WriteCondition {
  if (c.dialect === 'off' || c.dialect === 'parts') return {}
  const before = c.dialect === 'r2' ? 'cf-copy-destination-' : ''
  return { ifMatch: one(c, `${before}if-match`), ifNoneMatch: one(c, `${before}if-none-match`) }
}

async function getObject(c: Call): Promise<void> {
  const object = c.bucket.get(c.key)
  const wanted = one(c, 'if-match')
  if (wanted !== undefined && wanted !== object.etag) throw preconditionFailed()
  const range = rangeOf(one(c, 'range'), object)
  const { start, end } = range ?? { start: 0, end: object.bytes - 1 }
  c.response.writeHead(range ? 206 : 200, {
    ...object.headers, etag: object.etag, 'last-modified': object.lastModified.toUTCString(),
    'accept-ranges': 'bytes', 'content-length': end - start + 1,
    ...(range ? { 'content-range': `bytes ${start}-${end}/${object.bytes}` } : {}),
  })
  if (c.request.method === 'HEAD' || object.bytes === 0) return void c.response.end()
  // Opened before anything is awaited again: who reads an object that is replaced meanwhile reads the old one.
  const file = await open(object.path)
  await pipeline(file.createReadStream({ start, end }), c.response)
}

function rangeOf(text: string | undefined, { bytes }: S3Object): { start: number; end: number } | null {
  const m = /^bytes=(\d+)-(\d*)$/.exec(text ?? '')
  if (!m) return null
  const [start, end] = [Number(m[1]), m[2] === '' ? bytes - 1 : Math.min(Number(m[2]), bytes - 1)]
  if (start >= bytes) throw new S3Refusal(416, 'InvalidRange')
  return { start, end }
}

function listObjects(c: Call): void {
  const after = Buffer.from(c.query.get('continuation-token') ?? '', 'base64url').toString()
  const most = Math.min(PAGE, Number(c.query.get('max-keys') ?? PAGE))
  const { items, more } = c.bucket.page(c.query.get('prefix') ?? '', after, most)
  const Contents = items.map((o) => ({ Key: o.key, Size: o.bytes, ETag: o.etag, LastModified: o.lastModified.toISOString() }))
  const next = more ? { NextContinuationToken: Buffer.from(items.at(-1)?.key ?? '').toString('base64url') } : {}
  send(c, 200, {}, xml('ListBucketResult', { KeyCount: items.length, IsTruncated: more, ...next, Contents }))
}

function beginUpload(c: Call): void {
  const { id } = c.bucket.begin(c.key, kept(c))
  send(c, 200, {}, xml('InitiateMultipartUploadResult', { Key: c.key, UploadId: id }))
}

async function putPart(c: Call): Promise<void> {
  const id = c.query.get('uploadId') ?? ''
  c.bucket.uploadOf(id)
  if (one(c, 'x-amz-copy-source') !== undefined) return copyPart(c, id)
  const body = await receive(c.request, c.bucket.newPath(), c.ignoresDigests)
  await c.bucket.addPart(id, Number(c.query.get('partNumber')), body)
  send(c, 200, { etag: `"${body.md5Hex}"` })
}

async function copyPart(c: Call, id: string): Promise<void> {
  const from = sourceOf(c)
  const m = /^bytes=(\d+)-(\d+)$/.exec(one(c, 'x-amz-copy-source-range') ?? '')
  if (m && Number(m[2]) >= from.bytes) throw new S3Refusal(416, 'InvalidRange')
  const body = await c.bucket.portion(from, m ? { start: Number(m[1]), end: Number(m[2]) } : null)
  await c.bucket.addPart(id, Number(c.query.get('partNumber')), body)
  send(c, 200, {}, xml('CopyPartResult', { ETag: `"${body.md5Hex}"`, LastModified: new Date().toISOString() }))
}

async function finishUpload(c: Call): Promise<void> {
  let text = ''
  for await (const chunk of c.request) text += String(chunk)
  const parts = [...text.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
    etag: (/<ETag>(.*?)<\/ETag>/.exec(part)?.[1] ?? '').replaceAll('&quot;', '"'),
  }))
  const condition = c.dialect === 'off' ? {} : { ifMatch: one(c, 'if-match'), ifNoneMatch: one(c, 'if-none-match') }
  const { etag } = await c.bucket.finish(c.query.get('uploadId') ?? '', parts, condition)
  send(c, 200, {}, xml('CompleteMultipartUploadResult', { Key: c.key, ETag: etag }))
}

function listUploads(c: Call): void {
  const [prefix, after] = [c.query.get('prefix') ?? '', c.query.get('key-marker') ?? '']
  const all = [...c.bucket.uploads.values()].filter((u) => u.key.startsWith(prefix) && byteOrder(u.key, after) > 0)
    .sort((a, b) => byteOrder(a.key, b.key))
  const page = all.slice(0, PAGE)
  const Upload = page.map((u) => ({ Key: u.key, UploadId: u.id, Initiated: u.initiated.toISOString() }))
  const next = all.length > PAGE ? { NextKeyMarker: page.at(-1)?.key } : {}
  send(c, 200, {}, xml('ListMultipartUploadsResult', { IsTruncated: all.length > PAGE, ...next, Upload }))
}

function listParts(c: Call): void {
  const { parts } = c.bucket.uploadOf(c.query.get('uploadId') ?? '')
  const after = Number(c.query.get('part-number-marker') ?? 0)
  const all = [...parts.values()].filter((part) => part.number > after).sort((a, b) => a.number - b.number)
  const page = all.slice(0, PAGE)
  const Part = page.map((p) => ({ PartNumber: p.number, ETag: `"${p.md5Hex}"`, Size: p.bytes, LastModified: p.at.toISOString() }))
  const next = all.length > PAGE ? { NextPartNumberMarker: page.at(-1)?.number } : {}
  send(c, 200, {}, xml('ListPartsResult', { IsTruncated: all.length > PAGE, ...next, Part }))
}

function kept({ request: { headers } }: Call): Record<string, string> {
  const names = Object.keys(headers).filter((name) => name.startsWith('x-amz-meta-') || name === 'content-type')
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]))
}

function one({ request: { headers } }: Call, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

function send({ response }: Call, status: number, headers: Record<string, string>, body = ''): void {
  response.writeHead(status, { ...headers, ...(status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }) })
  response.end(body)
}

