import { parseArgs } from 'node:util'
import { clip } from '../domain/dataset.js'
import { PipelineError } from '../domain/errors.js'
import type { FaultRule } from './fault-rule.js'
import type { ArchiveServerOptions } from './server.js'

type Flag = {
  /** What the value is: a whole number, a part from 0 to 1, text, or none. */
  readonly value: 'number' | 'part' | 'text' | null
  readonly help: string
  readonly many?: true
}

const FLAGS = {
  'root': { value: 'text', help: 'folder that holds data/spot/... and data/futures/...' },
  'port': { value: 'number', help: 'port (default: 8080, 0: any free one)' },
  'host': { value: 'text', help: 'address (default: 127.0.0.1); anybody who reaches another one may read' },
  'latency-ms': { value: 'number', help: 'milliseconds before each answer' },
  'bytes-per-second': { value: 'number', help: 'bandwidth of each answer' },
  'error-rate': { value: 'part', help: 'part of requests that fail' },
  'error-status': { value: 'number', help: 'status of those (default: 503)' },
  'too-many-requests': { value: 'number', help: 'the first N requests get 429' },
  'retry-after-seconds': { value: 'number', help: 'what their Retry-After says (default: 1)' },
  'truncate': { value: null, help: 'bodies end half way' },
  'flip-bits': { value: null, help: 'ZIPs have a wrong bit' },
  'stale-checksum': { value: null, help: 'CHECKSUM files hold another digest' },
  'missing-checksum': { value: null, help: 'CHECKSUM files answer 404' },
  'foreign-checksum': { value: null, help: 'CHECKSUM files name another file' },
  'html-page': { value: null, help: 'a web page with status 200 in place of the answer' },
  'banned-seconds': { value: 'number', help: 'requests get 418, and this as Retry-After' },
  'restricted': { value: null, help: 'requests get 451' },
  'used-weight': { value: 'number', help: 'weight of this minute that /api/v3 tells of' },
  'stall-after-bytes': { value: 'number', help: 'bodies stop after N bytes, the connection stays open' },
  'redirect-to': { value: 'text', help: '302 to the same path below this URL' },
  'drop-from': { value: 'number', help: 'connections are reset after N bytes of the body, 0: at once' },
  'hide': { value: 'text', many: true, help: 'keys with this text are not there (repeatable)' },
  'match': { value: 'text', help: 'faults strike only paths with this text' },
  'rate': { value: 'part', help: 'part of requests that truncate ... drop-from strike' },
  'first-per-path': { value: 'number', help: 'they strike only the first N requests of a path' },
  'times': { value: 'number', help: 'they strike N times in all' },
  'seed': { value: 'number', help: 'of the rates (default: 1)' },
  'clock': { value: 'text', help: 'what /api/v3 takes for the time at the start: 2025-01-31T12:00:00Z (default: now)' },
  'clock-speed': { value: 'number', help: 'its seconds a second (default: 1)' },
  'help': { value: null, help: 'this text' },
} as const satisfies Record<string, Flag>

type FlagName = keyof typeof FLAGS
type Given = Partial<Record<FlagName, string | boolean | (string | boolean)[]>>

const NAMES = Object.keys(FLAGS) as FlagName[]

export const DEFAULT_PORT = 8080

export const HELP = `Serves a folder in the archive's layout as the archive's bucket does, with faults on demand.

  npm run archive-server -- --root ../archive --port 8080 --error-rate 0.1 --latency-ms 20

usage: archive-server --root DIR [--port N] [faults]
${NAMES.map((name) => `  ${`--${name} ${metavarOf(FLAGS[name])}`.padEnd(26)}${FLAGS[name].help}`).join('\n')}

exit codes: 130 interrupted, 143 terminated, 1 usage, no data folder, port taken
`

/** What the command line asks for: null for help. @throws {BAD_USAGE} */
export function parseOptions(argv: readonly string[]): ArchiveServerOptions | null {
  const given = parsed(argv)
  if (given.help) return null
  const text = (name: FlagName): string | undefined => (typeof given[name] === 'string' ? given[name] : undefined)
  const number = (name: FlagName): number | undefined => numberOf(name, text(name))
  const root = text('root')
  if (root === undefined || root === '') {
    throw new PipelineError('BAD_USAGE', 'no folder to serve', { at: '--root', do: 'add --root DIR, see --help' })
  }
  const seed = number('seed')
  const host = text('host')
  return {
    root,
    port: number('port') ?? DEFAULT_PORT,
    faults: faultsOf(given, text, number),
    ...(seed === undefined ? {} : { seed }),
    ...(host === undefined ? {} : { host }),
    ...clockOf(text('clock'), number('clock-speed') ?? 1),
  }
}

/** @throws {BAD_USAGE} */
function clockOf(text: string | undefined, speed: number): Pick<ArchiveServerOptions, 'now'> {
  if (text === undefined && speed === 1) return {}
  const [atMs, startedMs] = [text === undefined ? Date.now() : Date.parse(text), Date.now()]
  if (!Number.isNaN(atMs)) return { now: () => atMs + Math.floor((Date.now() - startedMs) * speed) }
  throw new PipelineError('BAD_USAGE', `"${clip(text ?? '')}" is no instant`, {
    at: '--clock', do: 'use one like 2025-01-31T12:00:00Z',
  })
}

function faultsOf(
  given: Given, text: (name: FlagName) => string | undefined, number: (name: FlagName) => number | undefined,
): FaultRule {
  const count = number('too-many-requests')
  const rule = {
    match: text('match'), rate: number('rate'), firstPerPath: number('first-per-path'), times: number('times'),
    latencyMs: number('latency-ms'), bytesPerSecond: number('bytes-per-second'),
    errorRate: number('error-rate'), errorStatus: number('error-status'),
    tooManyRequests: count === undefined ? undefined : { count, retryAfterSeconds: number('retry-after-seconds') ?? 1 },
    truncate: given.truncate, flipBits: given['flip-bits'], staleChecksum: given['stale-checksum'],
    missingChecksum: given['missing-checksum'], foreignChecksum: given['foreign-checksum'],
    htmlPage: given['html-page'],
    bannedSeconds: number('banned-seconds'), restricted: given.restricted, usedWeight: number('used-weight'),
    stallAfterBytes: number('stall-after-bytes'),
    redirectTo: text('redirect-to'), dropFrom: number('drop-from'), hide: given.hide,
  }
  // Absent is not the same as undefined in a rule; the flags' types were settled by parseArgs.
  return Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined))
}

function parsed(argv: readonly string[]): Given {
  const options = Object.fromEntries(NAMES.map((name) => [name, {
    type: FLAGS[name].value === null ? ('boolean' as const) : ('string' as const),
    multiple: 'many' in FLAGS[name],
  }]))
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message.split('\n')[0] ?? '' : 'the flags cannot be read'
    throw new PipelineError('BAD_USAGE', message, { do: 'see --help' }, thrown)
  }
}

function numberOf(name: FlagName, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const part = FLAGS[name].value === 'part'
  const pattern = part ? /^(0|1|0?\.\d+|[01]\.0+)$/ : /^\d{1,15}$/
  const most = name === 'port' ? 65_535 : Number.MAX_SAFE_INTEGER
  if (pattern.test(text) && Number(text) <= most) return Number(text)
  const wanted = part ? 'a number from 0 to 1' : name === 'port' ? 'a port from 0 to 65535' : 'a whole number'
  throw new PipelineError('BAD_USAGE', `"${clip(text)}" is not ${wanted}`, { at: `--${name}`, do: 'see --help' })
}

function metavarOf(flag: Flag): string {
  if (flag.value === null) return ''
  return flag.value === 'text' ? 'TEXT' : flag.value === 'part' ? '0..1' : 'N'
}
