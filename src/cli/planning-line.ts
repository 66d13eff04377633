import type { Output } from './output.js'
import { formatCount } from './render/format.js'

/** The line that shows that planning goes on; on a terminal only, and only once it takes a while. */
export async function openPlanningLine(out: Output): Promise<{ show(partitions: number): void; end(): void }> {
  if (out.live !== 'tty' || out.quiet || out.json) return { show: () => undefined, end: () => undefined }
  const { createLogUpdate } = await import('log-update')
  const update = createLogUpdate(process.stderr)
  let partitions = 0
  out.divert((lines) => update.persist(lines))
  const timer = setInterval(() => update(`planning  ${formatCount(partitions)} partitions`), 300)
  return {
    show: (count) => {
      partitions = count
    },
    end: () => {
      clearInterval(timer)
      out.divert(null)
      update.clear()
      update.done()
    },
  }
}
