import { CANDLE_COLUMNS, type CandleColumnName } from '../../domain/candle.js'
import { DATASETS, type Dataset } from '../../domain/dataset.js'
import { INTERVALS, type Interval } from '../../domain/interval.js'
import { EVERYTHING, unionOf, type Scan } from '../../domain/query-plan.js'
import type { OpenRange } from '../../domain/range.js'
import { viewName } from './session.js'

type Node = { readonly [name: string]: unknown }

/** Everything of every dataset: what is read when nothing is known of a question. */
export const wholeLake = (): Scan[] => DATASETS.map((dataset) => wholeOf(dataset))

const wholeOf = (dataset: Dataset, columns: Scan['columns'] = null): Scan =>
  ({ dataset, symbols: null, intervals: null, range: EVERYTHING, columns })

/**
 * What a question reads, by DuckDB's own optimized plan of it over empty tables: `json_serialize_plan` gives for each
 * scan its columns and the filters that were pushed into it, which hold for every row that the answer is made of. So
 * whatever the optimizer knows of joins, subqueries and unions is right here too. Several scans of a dataset are read as
 * one; what is not understood narrows nothing. Null when there is no plan.
 */
export function scansOf(serialized: string): Scan[] | null {
  const parsed = JSON.parse(serialized) as { error?: boolean; plans?: unknown }
  if (parsed.error === true) return null
  const scans = new Map<Dataset, Scan>()
  const todo: unknown[] = [parsed.plans]
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (typeof at !== 'object' || at === null) continue
    const node = at as Node
    const scan = node['type'] === 'LOGICAL_GET' ? scanOfGet(node) : null
    if (scan) {
      const before = scans.get(scan.dataset)
      scans.set(scan.dataset, before ? unionOf(before, scan) : scan)
    }
    todo.push(...Object.values(node).filter((child) => child !== undefined))
  }
  return [...scans.values()]
}

/** Null for a scan of something else than a dataset. */
function scanOfGet(node: Node): Scan | null {
  const table = (node['function_data'] as Node | null | undefined)?.['table']
  const dataset = DATASETS.find((one) => viewName(one) === table)
  if (!dataset) return null
  const names = node['names'] as readonly string[]
  const indexes = (node['column_indexes'] as readonly Node[]).map(({ index }) => names[index as number])
  const columns = CANDLE_COLUMNS.map(({ name }) => name).filter((name) => indexes.includes(name))
  const filters = (node['table_filters'] as Node | undefined)?.['filters'] as readonly Node[] | undefined
  return (filters ?? []).reduce<Scan>(
    (scan, { key, value }) => narrowed(scan, names[key as number] as CandleColumnName, value as Node),
    wholeOf(dataset, withTime(columns)),
  )
}

/** The view itself filters by time. */
const withTime = (columns: readonly CandleColumnName[]): CandleColumnName[] => [...new Set([...columns, 'open_time' as const])]

function narrowed(scan: Scan, column: CandleColumnName, filter: Node): Scan {
  switch (filter['filter_type']) {
    // Not every row needs to be looked at with it, but rows that fail it are of no use.
    case 'OPTIONAL_FILTER': return narrowed(scan, column, filter['child_filter'] as Node)
    case 'CONJUNCTION_AND':
      return (filter['child_filters'] as readonly Node[]).reduce<Scan>((so, child) => narrowed(so, column, child), scan)
    case 'CONSTANT_COMPARISON': return compared(scan, column, filter)
    case 'IN_FILTER': return among(scan, column, (filter['values'] as readonly Node[]).map(textOf))
    case 'CONJUNCTION_OR': return among(scan, column, (filter['child_filters'] as readonly Node[]).map(equalTo))
    default: return scan
  }
}

const equalTo = (filter: Node): string | null =>
  filter['filter_type'] === 'CONSTANT_COMPARISON' && filter['comparison_type'] === 'COMPARE_EQUAL'
    ? textOf(filter['constant'] as Node) : null

function compared(scan: Scan, column: CandleColumnName, filter: Node): Scan {
  const constant = filter['constant'] as Node
  if (column === 'open_time') return { ...scan, range: within(scan.range, String(filter['comparison_type']), instantOf(constant)) }
  return filter['comparison_type'] === 'COMPARE_EQUAL' ? among(scan, column, [textOf(constant)]) : scan
}

function among(scan: Scan, column: CandleColumnName, values: readonly (string | null)[]): Scan {
  const known = values.filter((value) => value !== null)
  if (known.length !== values.length) return scan
  if (column === 'symbol') return { ...scan, symbols: both(scan.symbols, known) }
  if (column !== 'interval') return scan
  return { ...scan, intervals: both(scan.intervals, INTERVALS.filter((one) => known.includes(one))) as readonly Interval[] }
}

const both = (before: readonly string[] | null, now: readonly string[]): readonly string[] =>
  before === null ? now : now.filter((value) => before.includes(value))

function within(range: OpenRange, comparison: string, us: bigint | null): OpenRange {
  if (us === null) return range
  const from = (at: bigint): OpenRange => ({ ...range, fromUs: range.fromUs === null || at > range.fromUs ? at : range.fromUs })
  const to = (so: OpenRange, at: bigint): OpenRange => ({ ...so, toUs: so.toUs === null || at < so.toUs ? at : so.toUs })
  switch (comparison) {
    case 'COMPARE_GREATERTHAN': return from(us + 1n)
    case 'COMPARE_GREATERTHANOREQUALTO': return from(us)
    case 'COMPARE_LESSTHAN': return to(range, us)
    case 'COMPARE_LESSTHANOREQUALTO': return to(range, us + 1n)
    case 'COMPARE_EQUAL': return to(from(us), us + 1n)
    default: return range
  }
}

function valueOf(constant: Node, type: string): unknown {
  return (constant['type'] as Node)['id'] === type && constant['is_null'] === false ? constant['value'] : undefined
}

function textOf(constant: Node): string | null {
  const value = valueOf(constant, 'VARCHAR')
  return typeof value === 'string' ? value : null
}

/** Microseconds; beyond what a number holds they are infinity, or no time that a candle has. */
function instantOf(constant: Node): bigint | null {
  const value = valueOf(constant, 'TIMESTAMP WITH TIME ZONE')
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : null
}
