import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { PipelineError } from '../../domain/errors.js'
import { kindOf, s3Failure } from './s3-failure.js'
import { pause } from './s3-link.js'

export type BodyOptions = {
  readonly first: Readable
  /** The body again from this offset within it; fails where another object is there by then. */
  readonly again: (offset: number) => Promise<Readable>
  readonly bytes: number
  /** Compared at the end, where the body is a whole object of ours. */
  readonly sha256Hex: string | null
  readonly at: string
}

/** A transfer that makes no progress so many times in a row is given up. */
const STALLS = 6

/**
 * The bytes of an object as they come; a transfer that breaks off is taken up where it ended. Ends well only after the
 * declared number of bytes, and after those of the digest where there is one. Fails with OBJECT_CORRUPT,
 * PRECONDITION_FAILED, OBJECT_ABSENT or STORE_UNREACHABLE.
 */
export function checkedBody(o: BodyOptions): Readable {
  const stream = Readable.from(pieces(o), { objectMode: false, highWaterMark: 65_536 })
  // A stream that is destroyed before it is read never enters the generator.
  stream.once('close', () => o.first.destroy())
  return stream
}

async function* pieces(o: BodyOptions): AsyncGenerator<Buffer> {
  const hash = o.sha256Hex === null ? null : createHash('sha256')
  let body = o.first
  let source = body[Symbol.asyncIterator]()
  let seen = 0
  let stalls = 0
  try {
    while (seen < o.bytes) {
      // Only reading is tried again: what the reader of this stream throws at the yield is its own affair.
      const step = await source.next().catch((thrown: unknown) => broken(thrown, o.at))
      if (step?.done === false) {
        const chunk = step.value as Buffer
        seen += chunk.length
        stalls = 0
        if (seen > o.bytes) throw corrupt(o.at, 'the store sent more bytes than it declared')
        hash?.update(chunk)
        yield chunk
        continue
      }
      if (++stalls > STALLS) throw brokenOff(o.at, seen, o.bytes)
      await pause(stalls)
      body = await o.again(seen)
      source = body[Symbol.asyncIterator]()
    }
  } finally {
    body.destroy()
  }
  if (hash && hash.digest('hex') !== o.sha256Hex) throw corrupt(o.at, 'the bytes are not those that were stored')
}

/** Null for what may be tried again. */
function broken(thrown: unknown, at: string): null {
  if (kindOf(thrown) === 'fault') return null
  throw s3Failure(thrown, at)
}

const brokenOff = (at: string, seen: number, bytes: number): PipelineError =>
  new PipelineError('STORE_UNREACHABLE', `a transfer broke off after ${seen} of ${bytes} bytes, again and again`, {
    at, do: 'check the network; the work is tried again by itself',
  })

const corrupt = (at: string, message: string): PipelineError => new PipelineError('OBJECT_CORRUPT', message, { at })
