import { readFileSync } from 'node:fs'

const CLOCK_TICKS = 100

/** Processor seconds that processes have used so far, all threads, in and out of the kernel; NaN without /proc. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const stat = readOf(pid, 'stat')
    // The name, in brackets, may hold spaces; utime and stime are the 12th and 13th fields after it.
    const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields?.[11]) + Number(fields?.[12])) / CLOCK_TICKS
  }, 0)
}

/**
 * The most memory that processes had resident, each at its own worst moment, added up: no less than they ever had
 * together. Bytes; null without /proc.
 */
export function peakRssOf(pids: readonly number[]): number | null {
  const peaks = pids.map((pid) => /^VmHWM:\s+(\d+) kB/m.exec(readOf(pid, 'status') ?? '')?.[1])
  if (peaks.some((peak) => peak === undefined)) return null
  return peaks.reduce((sum, peak) => sum + Number(peak) * 1_024, 0)
}

function readOf(pid: number, file: 'stat' | 'status'): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return null
  }
}
