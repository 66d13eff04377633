import { PipelineError, policyOf } from '../../domain/errors.js'
import { EXPORT_FORMATS, formatOfPath, type ExportFormat } from '../../exports/export-format.js'
import { EXIT_ERROR, EXIT_INTERRUPTED, textFlag, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { REQUEST_FLAGS, wantedOf } from '../request-flags.js'

export const exportCommand: CommandSpec = {
  name: 'export',
  sentence: 'Writes candles of the lake, or of the archive itself, to one file or to stdout.',
  example: 'candlelake export --symbols BTCUSDT --intervals 1h --from 2024-01 --to 2024-03 -o btc.csv.gz',
  flags: [
    ...REQUEST_FLAGS,
    { flag: '--format <format>', help: `${EXPORT_FORMATS.join(', ')} (default: what the file ends in, else csv)` },
    { flag: '--from-archive', help: 'read the archive in place of the lake; nothing is kept' },
  ],
  exits: [
    [0, 'written, or the reader of stdout had enough'],
    EXIT_ERROR,
    [2, 'a month of the archive, or an object of the lake, is corrupt'],
    EXIT_INTERRUPTED,
  ],
  works: true,
  writesFile: true,
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out, interrupts } = context
  const file = textFlag(flags, 'output')
  const path = file === undefined || file === '-' ? null : file
  const format = formatFor(flags, path)
  if (path === null && (format === 'parquet' || format === 'arrow') && process.stdout.isTTY) {
    const facts = { at: '--format', do: 'write a file: -o FILE' }
    throw new PipelineError('BAD_USAGE', `a terminal cannot show ${format}`, facts)
  }
  const wanted = await wantedOf(flags, async () => await (await import('node:stream/consumers')).text(process.stdin))
  const { runExport } = await import('../export-run.js')
  const { sayExport } = await import('../render/export.js')
  const from = flags['fromArchive'] === true ? 'archive' : 'lake'
  try {
    const summary = await runExport(context, { wanted, format, path, from })
    sayExport(out, summary)
    return 0
  } catch (thrown) {
    if (interrupts.ending) return interrupts.ending.code
    if (path === null && isBrokenPipe(thrown)) return 0
    if (!(thrown instanceof PipelineError) || !isCorrupt(thrown)) throw thrown
    out.error(thrown)
    return 2
  }
}

function formatFor(flags: FlagValues, path: string | null): ExportFormat {
  const text = textFlag(flags, 'format')
  if (text === undefined) return (path === null ? null : formatOfPath(path)) ?? 'csv'
  const format = EXPORT_FORMATS.find((one) => one === text)
  if (format) return format
  throw new PipelineError('BAD_USAGE', `"${text.slice(0, 60)}" is not a format`, {
    at: '--format', do: `use one of ${EXPORT_FORMATS.join(', ')}`,
  })
}

const isBrokenPipe = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && ['EPIPE', 'EIO'].includes(String(thrown.code))

const isCorrupt = ({ code }: PipelineError): boolean =>
  code === 'OBJECT_CORRUPT' || policyOf(code).end === 'quarantined'
