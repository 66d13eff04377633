import type { Finding } from '../doctor-checks.js'
import type { Paint } from './paint.js'
import { escapeControls } from './escape.js'

/** `ok    catalog  embedded Postgres`; a failure says what to do. */
export function renderDoctor(findings: readonly Finding[], paint: Paint, least = 0): readonly string[] {
  const wide = Math.max(least, ...findings.map(({ name }) => name.length))
  return findings.map(({ name, ok, detail, do: hint }) => {
    const mark = ok ? paint.green('ok  ') : paint.red('fail')
    const what = escapeControls(hint === null ? detail : `${detail}: ${hint}`)
    return `${mark}  ${name.padEnd(wide)}  ${what}`.trimEnd()
  })
}
