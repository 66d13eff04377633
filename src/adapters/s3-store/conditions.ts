import { randomUUID } from 'node:crypto'
import { CopyObjectCommand, DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { Condition } from '../../domain/ports/object-store.js'
import { quoted } from './object-info.js'
import { kindOf, s3Failure } from './s3-failure.js'
import type { S3Link } from './s3-link.js'
import type { S3Place } from './s3-place.js'

/**
 * How conditions of a copy are said: `standard` in If-Match and If-None-Match (AWS since October 2025), `r2` in
 * cf-copy-destination-if-match and -none-match.
 */
type CopyDialect = 'standard' | 'r2'

/** Which conditions a server keeps by itself. */
export type Conditions = { readonly put: boolean; readonly copy: CopyDialect | null }

/** `auto` asks the server. The others are for one that may not be asked, or answers wrongly. */
export type ConditionalWrites = 'auto' | 'standard' | 'r2' | 'off'

/** Below this lie the probes of `askConditions`; no listing shows it, and sweeping empties it. */
export const PROBES = '.probe/'

const KNOWN: Readonly<Record<Exclude<ConditionalWrites, 'auto'>, Conditions>> = {
  standard: { put: true, copy: 'standard' },
  r2: { put: true, copy: 'r2' },
  off: { put: false, copy: null },
}

/** What the server keeps, by setting or by trying it out on a probe object below the prefix. */
export async function conditionsOf(link: S3Link, place: S3Place, setting: ConditionalWrites): Promise<Conditions> {
  return setting === 'auto' ? await askConditions(link, place) : KNOWN[setting]
}

async function askConditions(link: S3Link, { bucket: Bucket, base, url }: S3Place): Promise<Conditions> {
  const [from, to] = [`${base}${PROBES}${randomUUID()}`, `${base}${PROBES}${randomUUID()}`]
  const put = (more: object) => link.client.send(new PutObjectCommand({ Bucket, Key: from, Body: 'probe', ...more }))
  const copy = (dialect: CopyDialect, condition: Condition) =>
    link.client.send(copyCommand({ Bucket, Key: to, CopySource: copySource(Bucket, from) }, condition, dialect))
  try {
    await put({})
    await link.client.send(new CopyObjectCommand({ Bucket, Key: to, CopySource: copySource(Bucket, from) }))
    const keepsPut = (await isKept(() => put(headersOf(NEW)))) && (await isKept(() => put(headersOf(OTHER))))
    for (const dialect of ['standard', 'r2'] as const) {
      const keepsCopy = (await isKept(() => copy(dialect, NEW))) && (await isKept(() => copy(dialect, OTHER)))
      if (keepsCopy) return { put: keepsPut, copy: dialect }
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

/** The condition of a put, as the SDK takes it. */
export const headersOf = (condition: Condition | undefined): { IfMatch?: string; IfNoneMatch?: string } =>
  condition === undefined ? {} : 'ifMatch' in condition ? { IfMatch: quoted(condition.ifMatch) } : { IfNoneMatch: '*' }

type CopyInput = ConstructorParameters<typeof CopyObjectCommand>[0]

/** A server-side copy under a condition on what it replaces. */
export function copyCommand(input: CopyInput, condition: Condition | undefined, dialect: CopyDialect | null): CopyObjectCommand {
  if (!condition || dialect === null) return new CopyObjectCommand(input)
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
