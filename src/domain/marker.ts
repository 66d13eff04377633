import type { NumericType } from './candle.js'
import { PipelineError } from './errors.js'

/** Whose a lake or a staging is, as it says itself. `replaced`: the catalogs it had before, the newest last. */
export type Marker = {
  readonly v: 1
  readonly catalog: string
  readonly numericType: NumericType
  readonly replaced: readonly string[]
}

/** Who asks: the id of a catalog and the numbers of its lake. */
export type Owner = { readonly catalogId: string; readonly numericType: NumericType }

export const markerOf = ({ catalogId, numericType }: Owner, replaced: readonly string[] = []): Marker =>
  ({ v: 1, catalog: catalogId, numericType, replaced })

/** What is stored. */
export const markerText = (marker: Marker): string => `${JSON.stringify(marker)}\n`

const isId = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-z-]{1,40}$/.test(value)

/** The inverse of `markerText`. @throws {OBJECT_CORRUPT} */
export function readMarker(text: string, at: string): Marker {
  const found = parsed(text)
  if (found?.v === 1 && isId(found.catalog) && (found.numericType === 'double' || found.numericType === 'decimal')
    && Array.isArray(found.replaced) && found.replaced.every(isId)) return found as Marker
  throw new PipelineError('OBJECT_CORRUPT', 'it does not say which catalog this is of', {
    at, do: 'look at what is there, and at what the catalog of this lake is; then delete it: the next worker writes it anew',
  })
}

function parsed(text: string): Partial<Marker> | null {
  try {
    return JSON.parse(text) as Partial<Marker> | null
  } catch {
    return null
  }
}
