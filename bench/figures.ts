/** What a figure has to come to; null where it is only told. */
export type Target = { readonly atLeast: number } | { readonly atMost: number } | null

export type Figure = { readonly name: string; readonly value: number; readonly unit: string; readonly target: Target }

/** `FIGURE convert.vs-bare-polars 1.21 x >=1`: one line, whatever reads it. */
export function figureLine({ name, value, unit, target }: Figure): string {
  return `FIGURE ${name} ${shown(value)} ${unit} ${targetText(target)}`
}

/** Judged by the value as it was measured, not as it is shown. */
export function isMet({ value, target }: Figure): boolean {
  if (target === null) return true
  return 'atLeast' in target ? value >= target.atLeast : value <= target.atMost
}

function targetText(target: Target): string {
  if (target === null) return '-'
  return 'atLeast' in target ? `>=${target.atLeast}` : `<=${target.atMost}`
}

/** Three digits that count, or all of a whole number. */
function shown(value: number): string {
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return value.toPrecision(3)
}
