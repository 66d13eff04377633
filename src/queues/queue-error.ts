import { PipelineError } from '../domain/errors.js'

const SYSTEM = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH',
  'ENETUNREACH', 'EADDRNOTAVAIL', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_SSL_WRONG_VERSION_NUMBER',
])

/** SQLSTATEs of a server that is away, starting, stopping, full or refusing us; and lost races worth another try. */
const SQLSTATE = /^(08...|28...|3D000|40001|40P01|53...|57P0[1-5]|58...)$/

const MESSAGE = new RegExp([
  'Connection is closed', "Stream isn't writeable", 'Command timed out', 'max retries per request', 'Connection terminated',
  'Connection ended unexpectedly', 'timeout exceeded when trying to connect', 'timeout expired', 'Query read timeout',
  'encountered a connection error', 'is not queryable', 'Socket closed unexpectedly', 'Socket timeout', 'disconnected before secure TLS',
  '^(OOM|LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOAUTH|WRONGPASS|NOPERM|MISCONF|UNBLOCKED|BUSY|NOREPLICAS) ',
].join('|'))

const CREDENTIALS = /^(NOAUTH|WRONGPASS|NOPERM) |^ERR AUTH/

const START = 'start it, or correct or unset QUEUE_URL'

/** Whether the server, not the job, is to blame: wait and do the same again. */
export function isUnreachable(thrown: unknown): boolean {
  if (thrown instanceof PipelineError) return thrown.code === 'QUEUE_UNREACHABLE'
  const { code, message } = reasonOf(thrown)
  return SYSTEM.has(code) || SQLSTATE.test(code) || MESSAGE.test(message) || CREDENTIALS.test(message)
}

/** What a queue's driver threw, as our error. `at` is host:port or a socket's folder; no credentials get in. */
export function queueError(thrown: unknown, at: string): PipelineError {
  if (thrown instanceof PipelineError) return thrown
  const { code, message } = reasonOf(thrown)
  // The drivers hang the failed command on their errors, and the command may be AUTH: only name and text are kept.
  const cause = Object.assign(new Error(message), code === '' ? {} : { code })
  if (!isUnreachable(thrown)) return new PipelineError('UNEXPECTED', `the queue at ${at} failed: ${message}`, { at }, cause)
  const facts = { at, reason: code || firstWord(message), do: hint(code, message) }
  return new PipelineError('QUEUE_UNREACHABLE', sentence(code, message, at), facts, cause)
}

function hint(code: string, message: string): string {
  if (message.startsWith('OOM')) return 'raise maxmemory, or wait until workers have done some of the jobs'
  if (message.startsWith('MISCONF') || (code.startsWith('53') && code !== '53300')) return 'free space on its disk'
  if (code === '53300') return 'raise max_connections, or end other processes'
  if (CREDENTIALS.test(message) || code.startsWith('28') || code === '3D000') return 'correct QUEUE_URL'
  return START
}

function sentence(code: string, message: string, at: string): string {
  if (message.startsWith('OOM')) return `the queue's Redis at ${at} is out of memory: maxmemory is reached`
  if (message.startsWith('MISCONF')) return `the queue's Redis at ${at} cannot write to its disk`
  if (CREDENTIALS.test(message) || code.startsWith('28')) return `the queue at ${at} refuses the credentials`
  if (code === '3D000') return `the queue's database at ${at} does not exist`
  if (code === '53300') return `the queue's Postgres at ${at} has no connection left`
  if (code.startsWith('53')) return `the queue's Postgres at ${at} is out of space or memory`
  return `the queue at ${at} does not answer (${code || message})`
}

/** The error when a call to the queue took longer than `ms` milliseconds. */
export const queueTimeout = (ms: number, at: string): PipelineError =>
  new PipelineError('QUEUE_UNREACHABLE', `the queue at ${at} does not answer within ${ms} ms`, { at, reason: 'TIMEOUT', do: START })

/** Gives the work's outcome, or after `ms` milliseconds `QUEUE_UNREACHABLE`; what the work does later is not heard. */
export async function within<T>(ms: number, at: string, work: () => Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(queueTimeout(ms, at)), ms)
  })
  try {
    const done = work()
    done.catch(() => undefined)
    return await Promise.race([done, late])
  } catch (thrown) {
    throw queueError(thrown, at)
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(thrown: unknown): { readonly code: string; readonly message: string } {
  if (!(thrown instanceof Error)) return { code: '', message: String(thrown) }
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  const inner: unknown = thrown instanceof AggregateError ? thrown.errors[0] : undefined
  if (thrown.message === '' && inner !== undefined) return reasonOf(inner)
  return { code, message: thrown.message }
}

const firstWord = (message: string): string => /^\w+/.exec(message)?.[0] ?? 'UNKNOWN'
