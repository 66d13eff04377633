/**
 * The candidate that `typed` most likely meant, or null when none is near: at most a third of it may differ, or it
 * begins with the candidate (`15min`); the longest such one then.
 */
export function nearestTo(typed: string, candidates: readonly string[]): string | null {
  const word = typed.toLowerCase()
  let best: string | null = null
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const begins = candidate.length > 1 && word.startsWith(candidate.toLowerCase())
    const edits = begins ? 1 / candidate.length : editsBetween(word, candidate.toLowerCase(), least)
    if (edits < least) [best, least] = [candidate, edits]
  }
  return best
}

/** Insertions, deletions, replacements and swaps of neighbours that make `a` into `b`; `most` where there are more. */
function editsBetween(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) >= most) return most
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j] ?? 0, (beforeLast[j - 2] ?? 0) + 1)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? most
}
