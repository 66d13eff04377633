import { PipelineError } from '../domain/errors.js'

/**
 * What goes wrong, and for which requests. A rule may name several faults; `match`, `firstPerPath` and `times` then
 * hold for each of them. Paths are percent-decoded and begin with `/`; a listing's path includes its query.
 */
export type FaultRule = {
  /** Only paths that contain this text or match this expression. */
  readonly match?: string | RegExp
  /** The part of requests, 0 to 1, that the faults strike which have no rate or count of their own. Default: all. */
  readonly rate?: number
  /** Strike only the first N requests of each path. Latency, bandwidth, 429 and `hide` are not limited by it. */
  readonly firstPerPath?: number
  /** Strike N times in all. Latency, bandwidth, 429 and `hide` are not limited by it. */
  readonly times?: number

  /** Milliseconds before the answer begins. */
  readonly latencyMs?: number
  /** Bytes a second of each answer's body. */
  readonly bytesPerSecond?: number
  /** The part of requests, 0 to 1, that get `errorStatus`. */
  readonly errorRate?: number
  /** The status of `errorRate`: 503 (SlowDown) by default. */
  readonly errorStatus?: number
  /** The first `count` requests get 429. */
  readonly tooManyRequests?: { readonly count: number; readonly retryAfterSeconds: number }
  /** The connection ends in good order after half of the body that Content-Length promised. */
  readonly truncate?: boolean
  /** One bit of a ZIP's body is wrong: the same bit in every answer, at an offset in its middle half. */
  readonly flipBits?: boolean
  /** CHECKSUM files hold another file's digest. */
  readonly staleChecksum?: boolean
  /** CHECKSUM files are listed, but answer 404. (To leave them out of the listing too: `hide: [/\.CHECKSUM$/]`.) */
  readonly missingChecksum?: boolean
  /** CHECKSUM files name another file. */
  readonly foreignChecksum?: boolean
  /** A web page with status 200 in place of the answer. */
  readonly htmlPage?: boolean
  /** Every request gets 418 and a Retry-After of so many seconds. */
  readonly bannedSeconds?: number
  /** Every request gets 451. */
  readonly restricted?: boolean
  /** The exchange's API says that so much weight was used in this minute. */
  readonly usedWeight?: number
  /** The body stops after N bytes and the connection stays open. */
  readonly stallAfterBytes?: number
  /** 302 to the same path below this URL. */
  readonly redirectTo?: string
  /** The connection is reset after N bytes of the body; 0 resets it before the status line. */
  readonly dropFrom?: number
  /** Keys that are not listed and answer 404, whatever `match` says: files that are late. */
  readonly hide?: readonly (string | RegExp)[]
}

/** Every fault, under the name of the setting that switches it on. */
export const FAULT_KINDS = [
  'latencyMs', 'bytesPerSecond', 'errorRate', 'tooManyRequests', 'truncate', 'flipBits', 'staleChecksum',
  'missingChecksum', 'foreignChecksum', 'htmlPage', 'bannedSeconds', 'restricted', 'usedWeight', 'stallAfterBytes', 'redirectTo', 'dropFrom', 'hide',
] as const satisfies readonly (keyof FaultRule)[]

export type FaultKind = (typeof FAULT_KINDS)[number]

/** Faults of the line or the bucket, or that count by themselves: `rate`, `firstPerPath`, `times` do not limit them. */
export const UNLIMITED: ReadonlySet<FaultKind> = new Set(['latencyMs', 'bytesPerSecond', 'tooManyRequests', 'hide'])

/** Whether a path contains the text or matches the expression. `search`, unlike `test`, heeds no `lastIndex`. */
export const matches = (pattern: string | RegExp, path: string): boolean =>
  typeof pattern === 'string' ? path.includes(pattern) : path.search(pattern) >= 0

/** Whether the rule switches this fault on at all: a limit of 0 bytes is on, 0 milliseconds is off. */
export function isOn(rule: FaultRule, kind: FaultKind): boolean {
  const value = rule[kind]
  if (kind === 'stallAfterBytes' || kind === 'dropFrom' || kind === 'bannedSeconds') return value !== undefined
  return Boolean(value)
}

/** @throws {BAD_CONFIG} a number outside its range, or a redirect to what is no URL */
export function checkRule(rule: FaultRule): void {
  for (const name of ['rate', 'errorRate'] as const) check(name, rule[name], 0, 1)
  for (const name of ['latencyMs', 'bytesPerSecond', 'stallAfterBytes', 'dropFrom', 'firstPerPath', 'times'] as const) {
    check(name, rule[name], 0, Number.MAX_SAFE_INTEGER)
  }
  for (const name of ['bannedSeconds', 'usedWeight'] as const) check(name, rule[name], 0, Number.MAX_SAFE_INTEGER)
  check('errorStatus', rule.errorStatus, 400, 599)
  check('tooManyRequests', rule.tooManyRequests?.count, 0, Number.MAX_SAFE_INTEGER)
  check('retryAfterSeconds', rule.tooManyRequests?.retryAfterSeconds, 0, Number.MAX_SAFE_INTEGER)
  if (rule.redirectTo !== undefined && !URL.canParse(rule.redirectTo)) {
    throw new PipelineError('BAD_CONFIG', 'redirectTo is not a URL', { do: 'use a URL like http://127.0.0.1:9' })
  }
}

function check(name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (value >= least && value <= most)) return
  throw new PipelineError('BAD_CONFIG', `${name} is ${value}`, { do: `use a number from ${least} to ${most}` })
}
