import { CANDLE_COLUMNS } from '../../domain/candle.js'
import { DATASETS, type Dataset } from '../../domain/dataset.js'
import { PipelineError } from '../../domain/errors.js'
import { INTERVALS } from '../../domain/interval.js'
import type { WantedPart } from '../../domain/plan-ranges.js'
import { EVERYTHING, rangeOver, type Scan } from '../../domain/query-plan.js'
import { instantUs, type OpenRange } from '../../domain/range.js'
import { viewName } from './session.js'

type Node = { readonly [name: string]: unknown }

/**
 * What a question reads, by DuckDB's own plan of it over empty tables: `EXPLAIN (FORMAT json)` gives for each scan
 * its columns and the filters that were pushed into it, which hold for every row that the answer is made of. So
 * whatever the optimizer knows of joins, subqueries and unions is right here too. A filter that is not understood
 * narrows nothing. `json_serialize_plan` would give the filters as data, but fails for plans with a window or a scalar subquery.
 */
export function scansOf(explained: string): Scan[] {
  return readsOf(explained).flatMap(({ table, projections, filters }) => {
    const dataset = datasetOf(table)
    return dataset ? [scanOf(dataset, projections, filters)] : []
  })
}

/** The same of the table `files`, whose columns these are; null where it is not read. */
export function filePartOf(explained: string, columns: readonly string[]): WantedPart | null {
  const [first, ...more] = readsOf(explained)
    .filter(({ table }) => table.endsWith('.files'))
    // A name with other signs than letters cannot be told from the text around it.
    .map(({ projections, filters }) => ({
      columns: [
        ...namedIn([...projections, ...filters], columns.filter(isWord)),
        ...columns.filter((name) => !isWord(name)),
      ],
      range: filters.map(plain).reduce(narrowed, { ...ANY, columns: [] }).range,
    }))
  if (!first) return null
  return more.reduce(
    (so, one) => ({ columns: union(so.columns, one.columns), range: rangeOver(so.range, one.range) }),
    first,
  )
}

type Read = { readonly table: string; readonly projections: readonly string[]; readonly filters: readonly string[] }

function readsOf(explained: string): Read[] {
  const reads: Read[] = []
  const todo: unknown[] = [JSON.parse(explained)]
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    if (typeof at !== 'object' || at === null) continue
    const info = (at as Node)['extra_info'] as Node | undefined
    if (typeof info?.['Table'] === 'string') {
      reads.push({ table: info['Table'], projections: textsOf(info['Projections']), filters: textsOf(info['Filters']) })
    }
    todo.push(...(Object.values(at) as unknown[]).filter((child) => child !== undefined))
  }
  return reads
}

const isWord = (name: string): boolean => /^\w+$/.test(name)

const plain = (filter: string): string => filter.replace(/^optional: /, '')

const namedIn = (texts: readonly string[], columns: readonly string[]): string[] => {
  const words = new Set(texts.join(' ').match(/\w+/g))
  return columns.filter((name) => words.has(name))
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])]

/** `temp.main.spot_klines`: the table of a plan is named in full. */
const datasetOf = (table: string): Dataset | undefined =>
  DATASETS.find((one) => table.endsWith(`.${viewName(one)}`))

const textsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.map(String) : typeof value === 'string' && value !== '' ? [value] : []

function scanOf(dataset: Dataset, projections: readonly string[], filters: readonly string[]): Scan {
  const names = CANDLE_COLUMNS.map(({ name }) => name)
  const read = namedIn([...projections, ...filters], names)
  // The view itself filters by time.
  const columns = names.filter((name) => name === 'open_time' || read.includes(name))
  return filters.map(plain).reduce(narrowed, { ...ANY, dataset, columns })
}

const ANY: Scan = { dataset: 'spot-klines', symbols: null, intervals: null, range: EVERYTHING, columns: null }

const WORD = String.raw`'([\p{L}\p{N}_-]{1,64})'`
const EQUAL = new RegExp(`^(symbol|interval)=${WORD}$`, 'u')
const AMONG = /^(symbol|interval) IN \((.*)\)$/u
const TIME = /^open_time(>=|>|<=|<|=)'([^']+)\+00'::TIMESTAMP WITH TIME ZONE$/

/**
 * One filter, of one column: conditions joined by AND, or by OR. A text with both is not taken apart, since nothing
 * says what binds to what.
 */
function narrowed(scan: Scan, filter: string): Scan {
  const isEither = filter.includes(' OR ')
  if (isEither && filter.includes(' AND ')) return scan
  if (isEither) return among(scan, filter.split(' OR ').map(valuesOf))
  return filter.split(' AND ').reduce((so, one) => {
    const time = TIME.exec(one)
    return time ? { ...so, range: within(so.range, time[1] ?? '', time[2] ?? '') } : among(so, [valuesOf(one)])
  }, scan)
}

type Values = { readonly column: 'symbol' | 'interval'; readonly values: readonly string[] } | null

/** What a condition lets symbol or interval be; null for any other condition. */
function valuesOf(condition: string): Values {
  const equal = EQUAL.exec(condition)
  if (equal) return { column: equal[1] as 'symbol', values: [equal[2] ?? ''] }
  const list = AMONG.exec(condition)
  const values = (list?.[2] ?? '').split(', ').map((one) => new RegExp(`^${WORD}$`, 'u').exec(one)?.[1])
  if (!list || values.includes(undefined)) return null
  return { column: list[1] as 'symbol', values: values as string[] }
}

function among(scan: Scan, either: readonly Values[]): Scan {
  const [first] = either
  const all = either.flatMap((one) => (one?.column === first?.column ? [...(one?.values ?? [])] : []))
  if (!first || either.some((one) => one?.column !== first.column)) return scan
  if (first.column === 'symbol') return { ...scan, symbols: both(scan.symbols, all) }
  return { ...scan, intervals: INTERVALS.filter((one) => both(scan.intervals, all).includes(one)) }
}

const both = (before: readonly string[] | null, now: readonly string[]): readonly string[] =>
  before === null ? now : now.filter((value) => before.includes(value))

function within(range: OpenRange, comparison: string, text: string): OpenRange {
  const us = instantOf(text)
  if (us === null) return range
  const from = (so: OpenRange, at: bigint): OpenRange => ({
    ...so,
    fromUs: so.fromUs === null || at > so.fromUs ? at : so.fromUs,
  })
  const to = (so: OpenRange, at: bigint): OpenRange => ({
    ...so,
    toUs: so.toUs === null || at < so.toUs ? at : so.toUs,
  })
  switch (comparison) {
    case '>':
      return from(range, us + 1n)
    case '>=':
      return from(range, us)
    case '<':
      return to(range, us)
    case '<=':
      return to(range, us + 1n)
    default:
      return to(from(range, us), us + 1n)
  }
}

/** Null for a time that no candle has: infinity, or a year before Christ. */
function instantOf(text: string): bigint | null {
  try {
    return instantUs(text, 'open_time')
  } catch (thrown) {
    if (thrown instanceof PipelineError) return null
    throw thrown
  }
}
