import { refused } from './duckdb-failure.js'

/**
 * Table functions that make rows of what they are given. Every other one reads files, shows what the process is like,
 * or changes it: `enable_logging` and `enable_profiling` can be called in a FROM, and write files.
 */
const TABLE_FUNCTIONS = new Set([
  'range',
  'generate_series',
  'unnest',
  'repeat',
  'repeat_row',
  'json_each',
  'json_tree',
  'histogram',
  'histogram_values',
])

/** Functions of a SELECT list that do more than work out a value. */
const FUNCTIONS = new Set([
  'write_log',
  'nextval',
  'currval',
  'setseed',
  'sleep_ms',
  'stats',
  'getenv',
  'current_query',
  'query',
  'query_table',
])

type Node = { readonly [name: string]: unknown }

/**
 * Reads what `json_serialize_sql` says of a text: one SELECT, and in it only what is on the lists above.
 * @throws {SQL_REFUSED}
 */
export function checkSelect(serialized: string): void {
  const parsed = JSON.parse(serialized) as { error?: boolean; error_message?: string; statements?: readonly Node[] }
  if (parsed.error === true) throw refused(reasonOf(parsed.error_message ?? ''))
  if (parsed.statements?.length !== 1) throw refused('one statement is answered at a time')
  walk(parsed.statements[0])
}

const reasonOf = (message: string): string =>
  /only SELECT statements/i.test(message) ? 'only SELECT is answered' : (message.split('\n')[0] ?? '')

function walk(value: unknown): void {
  const todo: unknown[] = [value]
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (typeof at !== 'object' || at === null) continue
    const node = at as Node
    if (node['type'] === 'TABLE_FUNCTION') checkTableFunction(node['function'] as Node | null)
    if (typeof node['function_name'] === 'string') checkFunction(node['function_name'])
    todo.push(...Object.values(node).filter((child) => child !== undefined))
  }
}

function checkTableFunction(node: Node | null): void {
  const name = nameOf(node)
  if (!TABLE_FUNCTIONS.has(name)) throw refused(`the table function ${name} is not answered`)
}

function checkFunction(name: string): void {
  if (FUNCTIONS.has(name.toLowerCase())) throw refused(`the function ${name} is not answered`)
}

function nameOf(node: Node | null): string {
  const name = node?.['function_name']
  return typeof name === 'string' ? name.toLowerCase() : '(without a name)'
}
