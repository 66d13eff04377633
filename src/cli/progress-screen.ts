import type { Output, Sink } from './output.js'
import { renderPlain, renderRun } from './render/run-screen.js'
import type { RunView } from './render/run-view.js'

/** Where a run shows itself while it goes on. */
export interface ProgressScreen {
  /** How often `show` is worth calling, ms. */
  readonly everyMs: number
  show(view: RunView): void
  /** A line that stays, above the bars. */
  note(line: string): void
  /** Takes the bars away. */
  end(): void
}

/** The screen that suits the output: JSON lines, bars, plain lines, or nothing. */
export async function openScreen(
  out: Output,
  stderr: Sink & NodeJS.WriteStream,
  now: () => Date,
): Promise<ProgressScreen> {
  if (out.json) return jsonScreen(out)
  if (out.quiet || out.live === 'none')
    return { everyMs: 1_000, show: () => undefined, note: (line) => out.note(line), end: () => undefined }
  return out.live === 'tty' && hasRoom(stderr) ? await barScreen(out, stderr) : plainScreen(out, now)
}

/** A terminal that says it has no lines or columns, as those of some containers and of `script` do, would show no bar. */
const hasRoom = ({ rows, columns }: Pick<NodeJS.WriteStream, 'rows' | 'columns'>): boolean => rows !== 0 && columns !== 0

async function barScreen(out: Output, stderr: NodeJS.WriteStream): Promise<ProgressScreen> {
  const { createLogUpdate } = await import('log-update')
  const update = createLogUpdate(stderr)
  out.divert((lines) => update.persist(lines))
  return {
    everyMs: 100,
    // One cell less than there are: some terminals wrap a line that fills them, and the bars would climb.
    show: (view) => update(renderRun(view, (stderr.columns || 80) - 1, out.paint.err).join('\n')),
    note: (line) => out.note(line),
    end: () => {
      out.divert(null)
      update.clear()
      update.done()
    },
  }
}

const PLAIN_MS = 10_000

function plainScreen(out: Output, now: () => Date): ProgressScreen {
  let lastMs = -Infinity
  return {
    everyMs: 1_000,
    show: (view) => {
      const at = now()
      if (lastMs === -Infinity) lastMs = at.getTime()
      if (at.getTime() - lastMs < PLAIN_MS) return
      lastMs = at.getTime()
      out.note(renderPlain(view, at))
    },
    note: (line) => out.note(line),
    end: () => undefined,
  }
}

function jsonScreen(out: Output): ProgressScreen {
  const said = new Map<string, number>()
  return {
    everyMs: 1_000,
    show: (view) => {
      if (out.quiet) return
      for (const line of progressLines(view)) {
        if (said.get(line.stage) === line.done) continue
        said.set(line.stage, line.done)
        out.resultJson(line)
      }
    },
    note: () => undefined,
    end: () => undefined,
  }
}

/** One object a stage: what `--json` prints while a run goes on. */
export function progressLines(view: RunView) {
  return view.stages.map(({ stage, done, total, unit, amount, etaSeconds }) => ({
    v: 1, type: 'progress', run: view.runId, stage, done, total,
    bytes: unit === 'bytes' ? (amount ?? 0) : 0,
    etaSeconds: etaSeconds === null ? null : Math.round(etaSeconds),
  }) as const)
}
