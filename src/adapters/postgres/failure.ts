import { PipelineError, type ErrorCode } from '../../domain/errors.js'

/** Where the catalog is, without credentials: `host:port/database`, or the folder of a socket. */
export type Whereabouts = { readonly at: string; readonly password: string | null }

/** What a failure is: `code` null when the statement is to blame, `broken` when its connection is of no more use. */
type Verdict = { readonly code: ErrorCode | null; readonly broken: boolean }

const SOCKET_CODES = /^E(CONN[A-Z]+|NOENT|PIPE|TIMEDOUT|NOTFOUND|AI_AGAIN|(HOST|NET)(UNREACH|DOWN)|ACCES|PERM)$/
/** pg reports a lost connection, and its own timeouts, by text alone. */
const LOST = new RegExp(`^(${[
  'Connection terminated', 'timeout expired', 'timeout exceeded', 'Query read timeout', 'Cannot use a pool',
  'Client has encountered', 'Client was closed',
].join('|')})`)

/** SQLSTATEs, whole or by class. 57014 is the statement timeout: a database that slow is as good as away. */
const STATES: readonly (readonly [RegExp, Verdict])[] = [
  [/^(08|57P0[1-5]|25P0[34])/, { code: 'CATALOG_UNREACHABLE', broken: true }],
  [/^(53300|53400|28|3D000)/, { code: 'CATALOG_UNREACHABLE', broken: true }],
  [/^(53200|57014|40001|40P01|25006|58030)/, { code: 'CATALOG_UNREACHABLE', broken: false }],
  // A right that the role lacks: waiting does not help.
  [/^42501/, { code: 'BAD_CONFIG', broken: false }],
  [/^53100/, { code: 'DISK_FULL', broken: false }],
  [/^55P03/, { code: 'LEASE_HELD', broken: false }],
]

const DO: Partial<Record<ErrorCode, string>> = {
  CATALOG_UNREACHABLE: 'check that the database runs and that DATABASE_URL is right',
  DISK_FULL: "free space on the database's disk",
  BAD_CONFIG: "let the role of DATABASE_URL own the tables of the catalog's schema and create others there",
  LEASE_HELD: 'wait: somebody else is changing the same partition',
}

/** What a failed statement means; anything that is not about the connection has the code null. */
export function verdictOf(thrown: unknown): Verdict {
  const state = codeOf(thrown)
  for (const [pattern, verdict] of STATES) if (pattern.test(state)) return verdict
  const lost = SOCKET_CODES.test(state) || LOST.test(messageOf(thrown))
  return { code: lost ? 'CATALOG_UNREACHABLE' : null, broken: lost }
}

/** The coded error for a failed connection or statement; errors that say nothing about either stay as they are. */
export function catalogError(thrown: unknown, where: Whereabouts, connecting = false): unknown {
  if (thrown instanceof PipelineError) return thrown
  const code = verdictOf(thrown).code ?? (connecting ? 'CATALOG_UNREACHABLE' : null)
  if (code === null) return thrown
  const facts = { at: where.at, sqlstate: codeOf(thrown) || null, do: DO[code] ?? null }
  return new PipelineError(code, `the catalog says: ${redact(messageOf(thrown), where)}`, facts, thrown)
}

const redact = (text: string, { password }: Whereabouts): string =>
  password === null || password === '' ? text : text.replaceAll(password, '***')

function codeOf(thrown: unknown): string {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : null
  return typeof code === 'string' ? code : ''
}

function messageOf(thrown: unknown): string {
  // A host with several addresses fails with an AggregateError, whose own message is empty.
  if (thrown instanceof AggregateError && thrown.errors.length > 0) return thrown.errors.map(messageOf).join('; ')
  return thrown instanceof Error ? thrown.message : String(thrown)
}
