import { randomUUID } from 'node:crypto'
import { CopyObjectCommand, DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { Condition } from '../../domain/ports/object-store.js'
import { copyInParts } from './copy-in-parts.js'
import { plain as plainTag, quoted } from './object-info.js'
import { headersOf } from './put-condition.js'
import { kindOf, s3Failure } from './s3-failure.js'
import type { S3Link } from './s3-link.js'
import type { S3Place } from './s3-place.js'

/**
 * How a condition of a copy is said: `standard` in If-Match and If-None-Match (AWS since October 2025), `r2` in
 * cf-copy-destination-if-match and -none-match, `parts` at the end of an upload whose parts are copies (MinIO).
 */
export type CopyDialect = 'standard' | 'r2' | 'parts'

/** Which conditions a server keeps by itself. */
export type Conditions = { readonly put: boolean; readonly copy: CopyDialect | null }

/** `auto` asks the server. The others are for one that may not be asked, or answers wrongly. */
export type ConditionalWrites = 'auto' | CopyDialect | 'off'

/** Below this lie the probes of `askConditions`; no listing shows it, and sweeping empties it. */
export const PROBES = '.probe/'

const KNOWN: Readonly<Record<Exclude<ConditionalWrites, 'auto'>, Conditions>> = {
  standard: { put: true, copy: 'standard' },
  r2: { put: true, copy: 'r2' },
  parts: { put: true, copy: 'parts' },
  off: { put: false, copy: null },
}

/** What the server keeps, by setting or by trying it out on a probe object below the prefix. */
export async function conditionsOf(link: S3Link, place: S3Place, setting: ConditionalWrites): Promise<Conditions> {
  return setting === 'auto' ? await askConditions(link, place) : KNOWN[setting]
}

async function askConditions(link: S3Link, { bucket: Bucket, base, url }: S3Place): Promise<Conditions> {
  const [from, to] = [`${base}${PROBES}${randomUUID()}`, `${base}${PROBES}${randomUUID()}`]
  const put = (condition?: Condition) =>
    link.client.send(new PutObjectCommand({ Bucket, Key: from, Body: PROBE, ...headersOf(condition) }))
  const source = copySource(Bucket, from)
  const plain = { Bucket, Key: to, CopySource: source }
  try {
    const etag = plainTag((await put()).ETag)
    await link.client.send(new CopyObjectCommand(plain))
    const inParts = { bucket: Bucket, to, source, etag, bytes: PROBE.length, metadata: {}, doneAlready }
    const copies: Readonly<Record<CopyDialect, (condition: Condition) => Promise<unknown>>> = {
      standard: (condition) => link.client.send(copyCommand(plain, condition, 'standard')),
      r2: (condition) => link.client.send(copyCommand(plain, condition, 'r2')),
      parts: (condition) => copyInParts(link, { ...inParts, condition }),
    }
    const keeps = async (write: (condition: Condition) => Promise<unknown>): Promise<boolean> =>
      (await isKept(() => write(NEW))) && (await isKept(() => write(OTHER)))
    const keepsPut = await keeps(put)
    for (const dialect of ['standard', 'r2', 'parts'] as const) {
      if (await keeps(copies[dialect])) return { put: keepsPut, copy: dialect }
    }
    return { put: keepsPut, copy: null }
  } catch (thrown) {
    throw s3Failure(thrown, url)
  } finally {
    for (const Key of [from, to]) {
      // What stays behind is removed by the next sweep.
      await link.client.send(new DeleteObjectCommand({ Bucket, Key })).catch(() => undefined)
    }
  }
}

const PROBE = 'probe'
const doneAlready = (): Promise<null> => Promise.resolve(null)
const NEW: Condition = { ifNoneMatch: '*' }
const OTHER: Condition = { ifMatch: '0'.repeat(32) }

/** Whether a condition that does not hold is kept: refused as such, rather than ignored or not known. */
async function isKept(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write()
    return false
  } catch (thrown) {
    const kind = kindOf(thrown)
    if (kind === 'precondition') return true
    // 501, or a 400 that names the header
    if (kind === 'refused') return false
    throw thrown
  }
}

type CopyInput = ConstructorParameters<typeof CopyObjectCommand>[0]

/** A server-side copy under a condition on what it replaces. */
export function copyCommand(input: CopyInput, condition: Condition | undefined, dialect: 'standard' | 'r2'): CopyObjectCommand {
  if (!condition) return new CopyObjectCommand(input)
  if (dialect === 'standard') return new CopyObjectCommand({ ...input, ...headersOf(condition) })
  const command = new CopyObjectCommand(input)
  const [name, value] = 'ifMatch' in condition
    ? ['cf-copy-destination-if-match', quoted(condition.ifMatch)] as const
    : ['cf-copy-destination-if-none-match', '*'] as const
  withHeader(command, name, value)
  return command
}

/** Sends a header that the SDK has no field for; it is signed with the others. */
export function withHeader(command: CopyObjectCommand | PutObjectCommand, name: string, value: string): void {
  const { middlewareStack } = command as CopyObjectCommand
  middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      headers[name] = value
      return next(args)
    },
    { step: 'build', name: `candlelake ${name}` },
  )
}

/** `bucket/key` as the copy header wants it: every byte that is no letter or digit in percent, slashes left. */
export const copySource = (bucket: string, key: string): string =>
  `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`
