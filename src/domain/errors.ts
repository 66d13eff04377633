/**
 * Every failure the pipeline can name. `retry` says what the worker runtime does with it:
 * `never` ends the job at once, `once` runs it one more time, `backoff` runs it up to the stage's attempts.
 * `infrastructure` errors are delayed and never spend an attempt: the partition is not to blame.
 * `end` is the state that the partition is left in when no try is left.
 */
type Policy = {
  readonly retry: 'never' | 'once' | 'backoff'
  readonly infrastructure?: true
  /** A question to the lake ends with it, never a stage. */
  readonly asked?: true
  readonly end: 'failed' | 'quarantined'
}

export const ERRORS = {
  // what a person typed or configured
  BAD_USAGE: { retry: 'never', end: 'failed' },
  BAD_MARKET: { retry: 'never', end: 'failed' },
  BAD_SYMBOL: { retry: 'never', end: 'failed' },
  BAD_INTERVAL: { retry: 'never', end: 'failed' },
  BAD_RANGE: { retry: 'never', end: 'failed' },
  BAD_PARTITION: { retry: 'never', end: 'failed' },
  BAD_CONFIG: { retry: 'never', end: 'failed' },
  BAD_JOB: { retry: 'never', end: 'failed' },
  NOTHING_MATCHES: { retry: 'never', end: 'failed' },
  RUN_ABSENT: { retry: 'never', end: 'failed' },
  UNSAFE_BIND: { retry: 'never', end: 'failed' },
  INTERRUPTED: { retry: 'never', end: 'failed' },
  // services that are down, full or slow
  ARCHIVE_UNREACHABLE: { retry: 'backoff', infrastructure: true, end: 'failed' },
  ARCHIVE_BUSY: { retry: 'backoff', infrastructure: true, end: 'failed' },
  EXCHANGE_UNREACHABLE: { retry: 'backoff', infrastructure: true, end: 'failed' },
  EXCHANGE_BUSY: { retry: 'backoff', infrastructure: true, end: 'failed' },
  EXCHANGE_BANNED: { retry: 'backoff', infrastructure: true, end: 'failed' },
  CATALOG_UNREACHABLE: { retry: 'backoff', infrastructure: true, end: 'failed' },
  QUEUE_UNREACHABLE: { retry: 'backoff', infrastructure: true, end: 'failed' },
  STORE_UNREACHABLE: { retry: 'backoff', infrastructure: true, end: 'failed' },
  STORE_BUSY: { retry: 'backoff', infrastructure: true, end: 'failed' },
  // wrong credentials or rights: for a person to correct, and no partition's fault
  STORE_DENIED: { retry: 'backoff', infrastructure: true, end: 'failed' },
  DISK_FULL: { retry: 'backoff', infrastructure: true, end: 'failed' },
  STAGING_FULL: { retry: 'backoff', infrastructure: true, end: 'failed' },
  // no process can be started: not a crash of one that worked on a partition
  ENGINE_UNAVAILABLE: { retry: 'backoff', infrastructure: true, end: 'failed' },
  // one who follows hot rows takes nothing: it may come again with its cursor
  SUBSCRIBER_SLOW: { retry: 'never', end: 'failed' },
  LEASE_HELD: { retry: 'backoff', infrastructure: true, end: 'failed' },
  // the database and the lake do not fit this program
  CATALOG_NEWER: { retry: 'never', end: 'failed' },
  // its own kind of waiting: a newer worker runs it
  JOB_NEWER: { retry: 'backoff', infrastructure: true, end: 'failed' },
  CATALOG_INCOMPLETE: { retry: 'never', end: 'failed' },
  EMBEDDED_MAJOR: { retry: 'never', end: 'failed' },
  EMBEDDED_FAILED: { retry: 'never', end: 'failed' },
  LAKE_MISMATCH: { retry: 'never', end: 'failed' },
  NUMERIC_TYPE_MISMATCH: { retry: 'never', end: 'failed' },
  // the exchange's own no
  EXCHANGE_RESTRICTED: { retry: 'never', end: 'failed' },
  EXCHANGE_REFUSED: { retry: 'never', end: 'failed' },
  // the source
  ARCHIVE_ABSENT: { retry: 'never', end: 'failed' },
  // a proxy's doing as often as the file's: it gets every attempt
  ARCHIVE_REFUSED: { retry: 'backoff', end: 'failed' },
  ARCHIVE_REDIRECT: { retry: 'never', end: 'failed' },
  SOURCE_TRUNCATED: { retry: 'backoff', end: 'failed' },
  SOURCE_CHANGED: { retry: 'backoff', end: 'failed' },
  SOURCE_NOT_ZIP: { retry: 'once', end: 'quarantined' },
  SOURCE_TOO_LARGE: { retry: 'never', end: 'quarantined' },
  ZIP_CORRUPT: { retry: 'once', end: 'quarantined' },
  ZIP_REFUSED: { retry: 'never', end: 'quarantined' },
  CHECKSUM_FOREIGN: { retry: 'never', end: 'quarantined' },
  CORRUPT: { retry: 'never', end: 'quarantined' },
  // questions to the lake
  SQL_REFUSED: { retry: 'never', end: 'failed', asked: true },
  QUERY_TIMEOUT: { retry: 'never', end: 'failed', asked: true },
  QUERY_MEMORY: { retry: 'never', end: 'failed', asked: true },
  SCHEMA_MISMATCH: { retry: 'never', end: 'failed', asked: true },
  PARTITION_ABSENT: { retry: 'never', end: 'failed', asked: true },
  PARTITION_PUBLISHED: { retry: 'never', end: 'failed', asked: true },
  // our own work
  ENGINE_CRASHED: { retry: 'once', end: 'quarantined' },
  ENGINE_MEMORY: { retry: 'once', end: 'quarantined' },
  ENGINE_FAILED: { retry: 'backoff', end: 'failed' },
  // not retried as a job: the partition starts over, a few times, and then this is its end
  STAGING_LOST: { retry: 'never', end: 'failed' },
  OBJECT_ABSENT: { retry: 'backoff', end: 'failed' },
  OBJECT_CORRUPT: { retry: 'backoff', end: 'failed' },
  PRECONDITION_FAILED: { retry: 'backoff', end: 'failed' },
  VERIFY_MISMATCH: { retry: 'once', end: 'quarantined' },
  POISONED: { retry: 'never', end: 'failed' },
  UNEXPECTED: { retry: 'backoff', end: 'failed' },
} as const satisfies Record<string, Policy>

export type ErrorCode = keyof typeof ERRORS

export const policyOf = (code: ErrorCode): Policy => ERRORS[code]

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERRORS, code)

/** Values that may be shown to anyone: never a secret, never a URL with credentials. */
export type Facts = Readonly<Record<string, string | number | boolean | null>>

/**
 * The one error of the project. Callers branch on `code`; `message` says what is wrong, `at` where, `do` what to do.
 * `retryAfterMs` is set when the other side said how long to wait.
 */
export class PipelineError extends Error {
  readonly code: ErrorCode
  readonly facts: Facts

  constructor(code: ErrorCode, message: string, facts: Facts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'PipelineError'
    this.code = code
    this.facts = facts
  }

  /** Where it happened: a flag, a partition, a URL without credentials. Stored as the fact `at`. */
  get at(): string | null {
    return typeof this.facts['at'] === 'string' ? this.facts['at'] : null
  }

  /** What a person can do about it. Stored as the fact `do`. */
  get do(): string | null {
    return typeof this.facts['do'] === 'string' ? this.facts['do'] : null
  }

  get retryAfterMs(): number | null {
    return typeof this.facts['retryAfterMs'] === 'number' ? this.facts['retryAfterMs'] : null
  }
}

/** The same error if it is ours, else `UNEXPECTED` around it. */
export function asPipelineError(thrown: unknown): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new PipelineError('UNEXPECTED', message, {}, thrown)
}
