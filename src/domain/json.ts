/** JSON text of a value in which names ending in `Us` hold bigints: they become decimal strings, as JSON has no bigint. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? v.toString() : v), indent)
}

/** The inverse of `toJson`: decimal strings under names ending in `Us` are bigints again. */
export function fromJson(text: string): unknown {
  return JSON.parse(text, reviveInstant)
}

/** The same for a value that a driver has parsed already. */
export function reviveInstants(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reviveInstants)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, reviveInstant(k, reviveInstants(v))]))
}

function reviveInstant(name: string, value: unknown): unknown {
  return name.endsWith('Us') && typeof value === 'string' && /^-?\d+$/.test(value) ? BigInt(value) : value
}

/** JSON with names in order, so that equal values give equal text. */
export const canonicalJson = (value: unknown): string => toJson(sorted(value))

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, sorted(v)]))
}
