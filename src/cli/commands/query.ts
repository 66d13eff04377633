import { PipelineError } from '../../domain/errors.js'
import type { ResultColumn } from '../../domain/ports/query-engine.js'
import type { Cost, QueryResult } from '../../lake/query-result.js'
import {
  EXIT_ERROR,
  EXIT_INTERRUPTED,
  EXIT_OK,
  textFlag,
  type CommandSpec,
  type Context,
  type FlagValues,
} from '../command.js'
import { toLine, type Output } from '../output.js'
import type * as format from '../render/format.js'
import type { ResultFormat } from '../render/result.js'

/** Rows that a terminal shows. */
const SHOWN_ROWS = 40

export const query: CommandSpec = {
  name: 'query',
  argument: { form: '<sql>', help: 'one SELECT over spot_klines, um_klines, cm_klines; - reads it from stdin' },
  sentence: 'Answers one SELECT over the lake; it can read the lake only and writes nothing.',
  example: 'candlelake query "select symbol, max(high) from spot_klines where interval = \'1d\' group by 1"',
  flags: [
    {
      flag: '--file <file>',
      help: 'asks Parquet files instead, as the table files: a path, https:// or s3:// (may be repeated)',
      list: true,
    },
    {
      flag: '--format <format>',
      help: 'table, csv, line, json, jsonl, markdown or arrow; table at a terminal, else csv',
    },
    { flag: '--limit <rows>', help: 'rows at most; a table at a terminal has 40' },
  ],
  exits: [EXIT_OK, EXIT_ERROR, EXIT_INTERRUPTED],
  run,
}

type Row = Record<string, unknown>

async function run(context: Context, flags: FlagValues, argument: string | undefined): Promise<number> {
  const { out, interrupts } = context
  const { RESULT_FORMATS } = await import('../render/result.js')
  const format = formatOf(flags, out, RESULT_FORMATS)
  const limit = limitOf(flags, out, format)
  const sql = argument === '-' ? await (await import('node:stream/consumers')).text(process.stdin) : (argument ?? '')
  const app = await context.openApp()
  const files = (flags['file'] ?? []) as readonly string[]
  const asked = files.length > 0 ? await app.files(files) : await app.query()
  const result = asked.sql<Row>(sql, [], { signal: interrupts.signal })
  try {
    const { rows, more } = await print(out, result, { format, limit })
    if (!out.json) out.note(costLine(rows, more, await finished(result), await import('../render/format.js')))
    return 0
  } finally {
    await result.close()
    await asked.close()
  }
}

function formatOf(flags: FlagValues, out: Output, formats: readonly ResultFormat[]): ResultFormat {
  const text = textFlag(flags, 'format')
  if (text === undefined) return out.json ? 'json' : out.width === null ? 'csv' : 'table'
  const found = formats.find((one) => one === text)
  if (found) return out.json ? 'json' : found
  throw new PipelineError('BAD_USAGE', `"${text.slice(0, 60)}" is not a format`, {
    at: '--format',
    do: `use one of ${formats.join(', ')}`,
  })
}

function limitOf(flags: FlagValues, out: Output, format: ResultFormat): number {
  const text = textFlag(flags, 'limit')
  if (text === undefined) return format === 'table' && out.width !== null ? SHOWN_ROWS : Infinity
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new PipelineError('BAD_USAGE', 'a limit is a whole number', { at: '--limit', do: 'use one like 100' })
}

/** `rows` is null where nobody counted. */
type Printed = { readonly rows: number | null; readonly more: boolean }

async function print(
  out: Output,
  result: QueryResult<Row>,
  o: { format: ResultFormat; limit: number },
): Promise<Printed> {
  const columns = await result.schema()
  if (o.format === 'arrow') return await printArrow(out, result)
  const shown = o.format === 'json' ? await asJson(out, result, columns) : await asLines(out, columns, o.format)
  let rows = 0
  let more = false
  for await (const batch of result) {
    const wanted = batch.slice(0, o.limit - rows)
    rows += wanted.length
    if (wanted.length > 0) shown.add(wanted)
    await out.drained()
    // Only a row beyond the limit tells that there are more, and it may be the first of the next batch.
    more = wanted.length < batch.length
    if (more) break
  }
  await shown.end()
  return { rows, more }
}

type Shown = { readonly add: (rows: readonly Row[]) => void; readonly end: () => void | Promise<void> }

/** Lines as rows come; a table, whose widths are those of all its rows, at the end. */
async function asLines(
  out: Output,
  columns: readonly ResultColumn[],
  format: Exclude<ResultFormat, 'arrow' | 'json'>,
): Promise<Shown> {
  const { resultLines } = await import('../render/result.js')
  const held: Row[] = []
  let first = true
  const say = (rows: readonly Row[]): void => {
    out.result(...resultLines(format, columns, rows, first))
    first = false
  }
  return {
    add: (rows) => (format === 'table' ? void held.push(...rows) : say(rows)),
    end: () => (first ? say(held) : undefined),
  }
}

/** One line of JSON in pieces, as rows come: an answer may be larger than memory. */
async function asJson(out: Output, result: QueryResult<Row>, columns: readonly ResultColumn[]): Promise<Shown> {
  const { jsonRows } = await import('../render/result.js')
  const named = columns.map(({ name, type }) => ({ name, type }))
  let before = out.json ? `${toLine({ v: 1, type: 'query', columns: named }).slice(0, -1)},"items":[` : '['
  return {
    add: (rows) => {
      out.resultBytes(Buffer.from(before + jsonRows(columns, rows).map((row) => toLine(row)).join(',')))
      before = ','
    },
    end: async () => {
      const tail = out.json ? `],"cost":${toLine(await finished(result))}}` : ']'
      out.result(before === ',' ? tail : before + tail)
    },
  }
}

async function printArrow(out: Output, result: QueryResult<Row>): Promise<Printed> {
  if (out.width !== null) {
    throw new PipelineError('BAD_USAGE', 'a terminal cannot show Arrow', {
      at: '--format',
      do: 'write it to a file: -o FILE',
    })
  }
  for await (const piece of result.arrow()) {
    out.resultBytes(piece)
    await out.drained()
  }
  return { rows: null, more: false }
}

/** The cost stands once the answer is read or left. */
async function finished(result: QueryResult<Row>): Promise<Cost> {
  await result.close()
  return await result.cost
}

type Words = Pick<typeof format, 'plural' | 'formatBytes' | 'formatCount'>

/** `1 row  0.04s  1 file  3 requests  0.2 MiB read`. */
function costLine(
  rows: number | null,
  more: boolean,
  cost: Cost,
  { plural, formatBytes, formatCount }: Words,
): string {
  return [
    ...(rows === null ? [] : [more ? `first ${plural(rows, 'row')}` : plural(rows, 'row')]),
    `${cost.seconds < 1 ? cost.seconds.toFixed(2) : cost.seconds.toFixed(1)}s`,
    plural(cost.files, 'file'),
    ...(cost.requests > 0 ? [plural(cost.requests, 'request')] : []),
    ...(cost.cacheHits > 0 ? [`${formatCount(cost.cacheHits)} cached`] : []),
    `${formatBytes(cost.bytesRead)} read`,
    ...(cost.path === 'httpfs' ? ['by httpfs'] : []),
  ].join('  ')
}
