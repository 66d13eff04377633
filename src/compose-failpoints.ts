import { writeSync } from 'node:fs'
import type { Config } from './config.js'
import type { PassFailpoint } from './domain/failpoints.js'

/**
 * What a worker does when it passes a failpoint: nothing, unless a test armed it. `kill` is SIGKILL, `stop` is SIGSTOP;
 * the line on stderr is the witness that the fault happened.
 */
export function failpointsOf(armed: Config['candlelakeFailpoints']): PassFailpoint {
  if (armed.length === 0) return () => undefined
  const left = new Set(armed)
  return (point, partition) => {
    const met = [...left].find((one) => one.point === point && (one.partition ?? partition) === partition)
    if (!met) return
    left.delete(met)
    const { action } = met
    writeSync(2, `${JSON.stringify({ event: 'failpoint', point, action, partition, pid: process.pid })}\n`)
    process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  }
}
