import { reviveInstants, toJson } from '../../domain/json.js'

/** JSON text that a jsonb column takes: Postgres refuses NUL and lone surrogates, which become U+FFFD. */
export function jsonText(value: unknown): string {
  const json = toJson(value)
  if (!json.includes('\\u')) return json
  return json.replace(/\\\\|\\u0000|\\ud[89a-f][0-9a-f]{2}/gi, (found) => (found === '\\\\' ? found : '\ufffd'))
}

/** Text that a text column takes, by the same rule. */
export const plainText = (text: string): string => Buffer.from(text, 'utf8').toString('utf8').replaceAll('\0', '\ufffd')

/** A jsonb value as the driver parsed it, with its instants as bigints again. */
export const fromColumn = <T>(value: unknown): T => reviveInstants(value) as T
