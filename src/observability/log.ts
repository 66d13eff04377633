import { destination, pino } from 'pino'
import type { Log } from '../domain/ports/observe.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Names whose values nobody may read. */
const SECRET =
  /^pass$|pass(word|wd|phrase)|secret|token|credential|authorization|cookie|api_?key|access_?key|private_?key/i
/** A password in a URL, of any scheme, with or without a user name. */
const URL_PASSWORD = /\b([a-z][a-z0-9+.-]*:\/\/[^\s:@/]*):[^\s@]*@/gi
/** `password=…` in a connection string or a query. */
const ASSIGNED =
  /\b((?:pass(?:word|wd)?|secret|token|api_?key|x-amz-(?:signature|credential|security-token))=)[^\s&;'"]+/gi
const HIDDEN = '[hidden]'
const DEPTH = 6

/** JSON lines on stderr, or to `write`: an event name, its fields, no secret among them. */
export function openLog(o: { level: LogLevel; write?: (line: string) => void }): Log {
  const { write } = o
  const sink = write ? { write } : destination({ fd: 2, sync: true })
  const logger = pino({
    level: o.level,
    base: { pid: process.pid },
    messageKey: 'event',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  }, sink)
  const at = (level: LogLevel) => (event: string, fields: Readonly<Record<string, unknown>> = {}) =>
    logger[level](withoutSecrets(fields), event)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** A log that says nothing. */
export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

/** The same fields with secrets hidden, errors and dates as plain values. Cycles and depths beyond six are cut. */
export function withoutSecrets(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return plain(fields, 0) as Record<string, unknown>
}

/** Text with the passwords in its URLs and assignments hidden. */
export const hideSecrets = (text: string): string =>
  text.replace(URL_PASSWORD, `$1:${HIDDEN}@`).replace(ASSIGNED, `$1${HIDDEN}`)

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return hideSecrets(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'function' || typeof value === 'symbol') return undefined
  if (value === null || typeof value !== 'object') return value
  if (depth >= DEPTH) return '[deep]'
  if (value instanceof Date) return value
  if (value instanceof URL) return hideSecrets(value.href)
  if (Array.isArray(value)) return value.map((one) => plain(one, depth + 1))
  if (value instanceof Map) return plain(Object.fromEntries(value), depth)
  if (value instanceof Set) return plain([...value], depth)
  if (Buffer.isBuffer(value)) return `[${value.length} bytes]`
  const own = value instanceof Error ? fieldsOf(value) : value
  const shown = Object.entries(own).map(([name, v]) => [
    name,
    SECRET.test(name) && v !== null ? HIDDEN : plain(v, depth + 1),
  ])
  return Object.fromEntries(shown)
}

const fieldsOf = (e: Error): object => ({ ...e, name: e.name, message: e.message, stack: e.stack, cause: e.cause })
