/**
 * Whether a database address is one of a pooler in transaction mode, as far as an address tells: Supabase's port 6543,
 * or the mark that other programs ask for. Such a pooler gives every transaction another session, and LISTEN,
 * `search_path` and time limits belong to a session. Host and port may stand in the query, and count there.
 */
export function isTransactionPooler(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { hostname, port, searchParams } = new URL(address)
  const [host, at] = [searchParams.getAll('host').at(-1) || hostname, searchParams.getAll('port').at(-1) || port]
  return (at === '6543' && /\.supabase\.(com|co)\.?$/i.test(host)) || searchParams.getAll('pgbouncer').some(isYes)
}

const isYes = (word: string): boolean => /^(true|1)$/i.test(word)
