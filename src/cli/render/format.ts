const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `129,034` and `1,234.5`, in every locale. */
export function formatCount(n: number): string {
  const [whole = '', fraction] = String(n).split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** `418 MiB`, `2.1 GiB`; below ten one decimal that is not 0. */
export function formatBytes(bytes: number): string {
  const unit = unitOf(bytes)
  return `${inUnit(bytes, unit)} ${UNITS[unit]}`
}

/** `315/418 MiB`: both in the unit of the larger. */
export function formatBytesOf(done: number, total: number): string {
  const unit = unitOf(total)
  return `${inUnit(done, unit)}/${inUnit(total, unit)} ${UNITS[unit]}`
}

export const formatByteRate = (perSecond: number): string => `${formatBytes(perSecond)}/s`

/** `5.4 M rows`. */
export const formatRows = (rows: number): string => `${compact(rows, ' ')} ${rows === 1 ? 'row' : 'rows'}`

/** `310k row/s`. */
export const formatRowRate = (perSecond: number): string => `${compact(perSecond, '')} row/s`

/** `0:09`, `12:34`, `1:02:03`; `-:--` for an unknown time. */
export function formatClock(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '-:--'
  const s = Math.max(0, Math.round(seconds))
  const pad = (n: number): string => String(n).padStart(2, '0')
  const [hours, minutes] = [Math.floor(s / 3_600), Math.floor(s / 60) % 60]
  return hours > 0 ? `${hours}:${pad(minutes)}:${pad(s % 60)}` : `${minutes}:${pad(s % 60)}`
}

/** `0.9s`, `27s`, `4m12s`, `1h05m`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)}s`
  const s = Math.round(seconds)
  if (s < 60) return `${s}s`
  const minutes = Math.floor(s / 60)
  if (minutes < 60) return `${minutes}m${String(s % 60).padStart(2, '0')}s`
  return `${Math.floor(minutes / 60)}h${String(minutes % 60).padStart(2, '0')}m`
}

/** `2026-11-22T20:31:14Z`. */
export const formatInstant = (at: Date): string => `${at.toISOString().slice(0, 19)}Z`

/** `1 run`, `2 runs`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${formatCount(n)} ${n === 1 ? one : many}`

function unitOf(bytes: number): number {
  let unit = 0
  // 1023.9 KiB would round to 1024 KiB, which nobody reads as 1 MiB.
  for (let n = bytes; n >= 1_023.5 && unit < UNITS.length - 1; n /= 1_024) unit++
  return unit
}

function inUnit(bytes: number, unit: number): string {
  const n = bytes / 1_024 ** unit
  const tenths = Math.round(n * 10) / 10
  return tenths < 10 ? String(tenths) : formatCount(Math.round(n))
}

function compact(n: number, space: string): string {
  if (n < 999.5) return String(Math.round(n))
  if (n < 999_500) return `${inThousands(n / 1e3)}k`
  return n < 999_500_000 ? `${inThousands(n / 1e6)}${space}M` : `${inThousands(n / 1e9)}${space}G`
}

const inThousands = (n: number): string => (n < 9.95 ? n.toFixed(1) : String(Math.round(n)))
