import { cpus, loadavg, release, totalmem, type } from 'node:os'

/** Where and when figures were taken, a line each. The load is that of the last minute, before the bench began. */
export function machineLines(): readonly string[] {
  const [cpu] = cpus()
  return [
    `machine: ${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${(totalmem() / 1024 ** 3).toFixed(1)} GiB memory`,
    `system: ${type()} ${release()}, node ${process.version}, load ${(loadavg()[0] ?? 0).toFixed(2)}, ${new Date().toISOString()}`,
  ]
}
