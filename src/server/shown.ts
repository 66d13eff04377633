const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** `1,234,567`: the same in every locale. */
export const shownCount = (count: number): string => String(count).replace(/\B(?=(\d{3})+(?!\d))/g, ',')

/** `0 B`, `1.4 GiB`: two digits at least, in powers of 1024. */
export function shownBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${power > 0 && value < 10 ? value.toFixed(1) : shownCount(Math.round(value))} ${BYTE_UNITS[power]}`
}

/** `2026-11-22 20:31:14`, in UTC. */
export const shownInstant = (at: Date): string => at.toISOString().slice(0, 19).replace('T', ' ')

/** `4 s`, `12 min`, `3 h`, `9 d`: how long before `now` it was; never negative. */
export function shownAge(at: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - at.getTime()) / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`
}

/** What a run was asked for, in a line of at most 160 characters: `symbols BTCUSDT,ETHUSDT · intervals 1h`. */
export function shownRequest(request: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(request).flatMap(([name, value]) => {
    const text = (Array.isArray(value) ? value : [value]).flatMap(plain).join(',')
    return text === '' ? [] : [`${name} ${text}`]
  })
  const line = parts.join(' · ')
  return line.length <= 160 ? line : `${line.slice(0, 159)}…`
}

const plain = (value: unknown): string[] =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [String(value)] : []
