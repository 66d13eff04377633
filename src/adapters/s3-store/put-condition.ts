import type { Condition } from '../../domain/ports/object-store.js'
import { quoted } from './object-info.js'

/** The condition of a write, as the SDK takes it. */
export const headersOf = (condition: Condition | undefined): { IfMatch?: string; IfNoneMatch?: string } =>
  condition === undefined ? {} : 'ifMatch' in condition ? { IfMatch: quoted(condition.ifMatch) } : { IfNoneMatch: '*' }
