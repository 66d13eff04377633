import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../../domain/errors.js'
import { isStrong, readObjectHeaders, type ObjectHeaders } from './content-headers.js'
import type { Http, HttpAnswer } from './http.js'
import { breakReasonOf, networkFailure } from './http-failure.js'
import type { ReceivedFile } from './received-file.js'

/**
 * Breaks in a row that are mended in place. Each gain of a megabyte starts the count anew: a line that breaks often but
 * moves on comes to its end, and one that does not move on is the queue's to wait for.
 */
const MENDS = 3
const GAIN_BYTES = 1_048_576
const PAUSE_MS = 100

type Transfer = {
  readonly http: Http
  /** The object's percent-encoded path below the base address. */
  readonly path: string
  readonly file: ReceivedFile
  readonly maxBytes: number
  readonly signal: AbortSignal
  readonly onBytes?: ((count: number) => void) | undefined
}

/** Streams one object into `file`; continues by Range where the connection broke. Gives what its headers said. */
export async function transfer(t: Transfer): Promise<ObjectHeaders> {
  let known: ObjectHeaders | null = null
  let mends = MENDS
  let reached = 0
  for (;;) {
    const before = t.file.bytes
    try {
      const answer = await ask(t, known)
      known = await accept(t, answer, known)
      await receive(t, answer.body, known)
      return known
    } catch (thrown) {
      if (!isMendable(thrown, t.file.bytes > before)) throw thrown
      if (t.file.bytes - reached >= GAIN_BYTES) {
        reached = t.file.bytes
        mends = MENDS
      }
      if (mends-- === 0) throw lastWord(t, known, thrown)
      await pause(PAUSE_MS * 2 ** (MENDS - 1 - mends), t.signal)
    }
  }
}

/** A stall that brought no byte already took its whole timeout: waiting on is the queue's work. */
function isMendable(thrown: unknown, gained: boolean): boolean {
  const reason = breakReasonOf(thrown)
  return reason === 'reset' || reason === 'ended' || (reason === 'timeout' && gained)
}

function ask(t: Transfer, known: ObjectHeaders | null): Promise<HttpAnswer> {
  const etag = known?.etag ?? null
  if (t.file.bytes === 0 || !isStrong(etag)) return t.http.get({ path: t.path, signal: t.signal })
  // If-Match makes S3 answer 412 for another object, If-Range makes other servers answer 200: both are told apart.
  const headers = { range: `bytes=${t.file.bytes}-`, 'if-match': etag, 'if-range': etag }
  return t.http.get({ path: t.path, headers, accept: [206, 412, 416], signal: t.signal })
}

/** Checks that an answer continues what is there, or starts over. */
async function accept(t: Transfer, answer: HttpAnswer, known: ObjectHeaders | null): Promise<ObjectHeaders> {
  try {
    const headers = readObjectHeaders(answer)
    if (headers.coding !== null) {
      throw new PipelineError('SOURCE_NOT_ZIP', `the archive sent the file re-encoded as ${headers.coding}`, {
        at: at(t),
        coding: headers.coding,
        do: 'look for a proxy or mirror in between that compresses',
      })
    }
    const changed = known !== null && isStrong(known.etag) && headers.etag !== known.etag
    if (t.file.bytes > 0 && (answer.status === 412 || answer.status === 416 || changed)) throw sourceChanged(t)
    if (answer.status === 206) {
      const isOther = known !== null && known.total !== null && headers.total !== known.total
      if (headers.start !== t.file.bytes || isOther) throw sourceChanged(t)
    } else if (t.file.bytes > 0) await t.file.restart()
    if (headers.total !== null && headers.total > t.maxBytes) throw tooLarge(t, headers.total)
    return headers
  } catch (thrown) {
    answer.body.on('error', () => undefined).destroy()
    throw thrown
  }
}

async function receive(t: Transfer, body: HttpAnswer['body'], known: ObjectHeaders): Promise<void> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  try {
    for (;;) {
      const step = await nextChunk(t, chunks)
      if (step.done === true) break
      const chunk = step.value
      t.onBytes?.(chunk.length)
      if (t.file.bytes + chunk.length > t.maxBytes) throw tooLarge(t, t.file.bytes + chunk.length)
      if (!(await t.file.append(chunk))) throw notZip(t)
    }
  } finally {
    body.on('error', () => undefined).destroy()
  }
  // A page shorter than 200 bytes is known only at its end.
  if (!t.file.head.isZip) throw notZip(t)
  if (known.total !== null && t.file.bytes !== known.total) throw truncated(t, known, 'ended')
}

async function nextChunk(t: Transfer, chunks: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer, unknown>> {
  try {
    return await chunks.next()
  } catch (thrown) {
    t.signal.throwIfAborted()
    throw networkFailure(thrown, t.http.origin)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    signal.throwIfAborted()
  }
}

const at = (t: Transfer): string => `${t.http.origin}${t.path}`

/** A body that keeps ending early is the source's fault; a reset or a stall is the network's. */
function lastWord(t: Transfer, known: ObjectHeaders | null, thrown: unknown): unknown {
  return known !== null && breakReasonOf(thrown) === 'ended' ? truncated(t, known, thrown) : thrown
}

const truncated = (t: Transfer, known: ObjectHeaders, cause: unknown): PipelineError =>
  new PipelineError(
    'SOURCE_TRUNCATED',
    `the archive sent ${t.file.bytes} of ${known.total ?? 'an unknown number of'} bytes`,
    { at: at(t), bytes: t.file.bytes, wantBytes: known.total },
    cause,
  )

const sourceChanged = (t: Transfer): PipelineError =>
  new PipelineError('SOURCE_CHANGED', 'the archive replaced the file while it was downloaded', { at: at(t) })

const tooLarge = (t: Transfer, bytes: number): PipelineError =>
  new PipelineError('SOURCE_TOO_LARGE', `the file has ${bytes} bytes or more; ${t.maxBytes} are allowed`, {
    at: at(t),
    bytes,
    maxBytes: t.maxBytes,
    do: 'raise the limit if files of this size are expected',
  })

const notZip = (t: Transfer): PipelineError =>
  new PipelineError('SOURCE_NOT_ZIP', 'the archive sent something that is not a ZIP', {
    at: at(t),
    head: t.file.head.shown,
  })
