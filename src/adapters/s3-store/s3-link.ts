import { setTimeout as sleep } from 'node:timers/promises'
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import type { Dispatcher } from 'undici'
import { Pace } from './pace.js'
import { isAway, kindOf } from './s3-failure.js'
import { S3Transport } from './s3-transport.js'

/** Keys that may run out. */
export type S3Credentials = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

/** How the store is reached. Two stores of one endpoint and one identity can copy from each other. */
export type S3Connection = {
  /** Null: AWS. */
  readonly endpoint: string | null
  /** Null: what the SDK finds. With an endpoint `auto`, which R2 wants and MinIO takes. */
  readonly region: string | null
  /** Asked again when the store says that they have run out. Null: the SDK's chain (environment, profile, role). */
  readonly credentials: (() => Promise<S3Credentials>) | null
  readonly pathStyle: boolean
  /** Checksums of the SDK, besides our own digests. `when_required` is what every store takes. */
  readonly checksums: 'when_required' | 'when_supported'
  readonly userAgent: string
  /** Carries the requests: proxies, authorities, time limits. Closed with the link. */
  readonly dispatcher: Dispatcher
}

/** Tries of one request. With 30 % refused, 1 of 170,000 requests fails ten times in a row. */
const TRIES = 10
/** Of a server that is not there: whoever waits for an answer, a person perhaps, is told soon, and jobs come again. */
const TRIES_AWAY = 4
const FIRST_DELAY_MS = 50
const MOST_DELAY_MS = 5_000

/**
 * A connection to one store, shared by lake and staging. Every request is tried again, with a growing random pause, while
 * the store is busy or breaks off; refused credentials are asked for anew, once a request.
 */
export class S3Link {
  /** Whose `send` tries again. For requests whose body can be sent twice. */
  readonly client: S3Client
  /** Sends once. Within `trying`. */
  readonly once: S3Client['send']
  /** Names the service and the identity. */
  readonly service: string
  readonly signsPayload: boolean
  readonly #pace = new Pace()
  readonly #transport: S3Transport

  constructor(o: S3Connection) {
    this.#transport = new S3Transport(o.dispatcher)
    this.client = new S3Client(configOf(o, this.#transport))
    this.once = this.client.send.bind(this.client)
    const trying = (command: never, options: never): Promise<unknown> =>
      this.trying(() => this.once(command, options) as Promise<unknown>)
    this.client.send = trying
    this.service = o.endpoint ?? 'aws'
    // With the SDK's checksums on, a streamed body carries them in a trailer, and is signed as such.
    this.signsPayload = o.checksums === 'when_required'
  }

  /** Runs a request until it succeeds or fails for good; `attempt` counts from 1. Throws what the last one threw. */
  async trying<T>(work: (attempt: number) => Promise<T>): Promise<T> {
    let renewed = false
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#pace.run(() => work(attempt))
      } catch (thrown) {
        const kind = kindOf(thrown)
        if (kind === 'expired' && !renewed) {
          renewed = true
          await this.client.config.credentials({ forceRefresh: true })
          continue
        }
        if (kind === 'busy') this.#pace.slowDown()
        if (kind !== 'busy' && kind !== 'fault' && kind !== 'mangled') throw thrown
        if (attempt >= (isAway(thrown) ? TRIES_AWAY : TRIES)) throw thrown
        await pause(attempt)
      }
    }
  }

  /** Milliseconds since 1970 by the store's clock, which dates what it holds; ours before its first answer. */
  now(): number {
    return Date.now() + this.#transport.aheadMs
  }

  close(): Promise<void> {
    this.client.destroy()
    return Promise.resolve()
  }
}

/** Some time up to a bound that doubles: those who were refused together do not come back together. */
export const pause = (attempt: number): Promise<void> =>
  sleep(Math.random() * Math.min(MOST_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt))

const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing }
function nothing(): void {}

function configOf(o: S3Connection, transport: S3Transport): S3ClientConfig {
  const region = o.region ?? (o.endpoint === null ? null : 'auto')
  return {
    ...(o.endpoint === null ? {} : { endpoint: o.endpoint }),
    ...(region === null ? {} : { region }),
    ...(o.credentials === null ? {} : { credentials: o.credentials }),
    forcePathStyle: o.pathStyle,
    requestChecksumCalculation: o.checksums === 'when_required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED',
    responseChecksumValidation: o.checksums === 'when_required' ? 'WHEN_REQUIRED' : 'WHEN_SUPPORTED',
    // A refusal without 100-continue costs a body; waiting for it costs every upload a round trip.
    expectContinueHeader: false,
    customUserAgent: o.userAgent,
    requestHandler: transport as unknown as NonNullable<S3ClientConfig['requestHandler']>,
    // Tried again here, where a stream can be opened anew and credentials can be renewed.
    maxAttempts: 1,
    followRegionRedirects: true,
    // It would warn on the console of every stream that it cannot send again; that is done here.
    logger: SILENT,
  }
}
