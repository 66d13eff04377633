/**
 * Whether a database address is one of a pooler in transaction mode, as far as an address tells: Supabase's port 6543,
 * or the mark that other programs ask for. Such a pooler gives every transaction another session, and LISTEN,
 * `search_path` and time limits belong to a session.
 */
export function isTransactionPooler(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { hostname, port, searchParams } = new URL(address)
  return (port === '6543' && /\.supabase\.(com|co)$/.test(hostname)) || searchParams.get('pgbouncer') === 'true'
}
