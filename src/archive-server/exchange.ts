import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Faults } from './faults.js'

/** What the log keeps of a request. `status` is 0 and `bytes` (of the body, sent) grows while it is being answered. */
export type LoggedRequest = {
  readonly method: string
  /** Percent-decoded, with the query of a listing. */
  readonly path: string
  readonly range: string | null
  status: number
  bytes: number
}

/** One request on its way to an answer. */
export type Exchange = {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly method: 'GET' | 'HEAD'
  /** The request target as it came: percent-encoded, with its query. */
  readonly target: string
  /** Percent-decoded, no leading `/`; '' is the bucket itself, U+0000 a target that cannot be decoded. */
  readonly key: string
  readonly query: URLSearchParams
  readonly logged: LoggedRequest
  readonly faults: Faults
  /** Aborted when the connection is gone: end all waiting and reading then. */
  readonly signal: AbortSignal
}
