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

/** Functions of a SELECT list that do more than work out a value, or show settings and what our views are made of. */
const FUNCTIONS = new Set([
  'write_log',
  'nextval',
  'currval',
  'setseed',
  'sleep_ms',
  'pg_sleep',
  'current_setting',
  'getvariable',
  'pg_get_viewdef',
  'json_serialize_plan',
  'stats',
  'getenv',
  'current_query',
  'query',
  'query_table',
])

/**
 * Tables that DuckDB has by itself. They show paths of files and signed addresses, which are in the text of our views,
 * and settings. Every one has such a name or lies in a schema.
 */
const SYSTEM_TABLE = /^(duckdb_|pragma_|sqlite_|pg_)/i

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
    if (node['type'] === 'BASE_TABLE') checkTable(node)
    if (node['type'] === 'SHOW_REF') checkShow(node)
    if (typeof node['function_name'] === 'string') checkFunction(node['function_name'])
    todo.push(...Object.values(node).filter((child) => child !== undefined))
  }
}

/** Our own tables need no schema before their names. */
function checkTable({ catalog_name: catalog, schema_name: schema, table_name: name }: Node): void {
  if (typeof name !== 'string') return
  if (catalog || schema) throw refused('a table of another schema is not answered')
  if (SYSTEM_TABLE.test(name)) throw refused(`the table ${name} is not answered`)
}

/** DESCRIBE and SUMMARIZE are of a query, which is looked at like any other; SHOW ALL TABLES and its like are not. */
function checkShow({ query, table_name: name }: Node): void {
  if (!query && name !== '"tables"') throw refused('of SHOW only SHOW TABLES is answered')
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
