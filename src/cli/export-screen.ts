import type { ExportTracker } from './export-tracker.js'
import type { Output } from './output.js'
import { renderExportPlain } from './render/export.js'
import { renderStages } from './render/run-screen.js'

const BARS_MS = 100
const PLAIN_MS = 10_000

/** Bars on a terminal, a line now and then elsewhere; neither with `--json` or `-q`. Until `end`. */
export async function openExportScreen(out: Output, tracker: ExportTracker): Promise<{ end(): void }> {
  if (out.json || out.quiet || out.live === 'none') return { end: () => undefined }
  if (out.live === 'plain' || process.stderr.rows === 0 || process.stderr.columns === 0) {
    const say = (): void => out.note(renderExportPlain(tracker.stages(Date.now()), new Date()))
    const timer = setInterval(say, PLAIN_MS)
    return { end: () => clearInterval(timer) }
  }
  const { createLogUpdate } = await import('log-update')
  const update = createLogUpdate(process.stderr)
  out.divert((lines) => update.persist(lines))
  const width = (): number => (process.stderr.columns || 80) - 1
  const draw = (): void => update(renderStages(tracker.stages(Date.now()), width(), out.paint.err).join('\n'))
  const timer = setInterval(draw, BARS_MS)
  return {
    end: () => {
      clearInterval(timer)
      out.divert(null)
      update.clear()
      update.done()
    },
  }
}
