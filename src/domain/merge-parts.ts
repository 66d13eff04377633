/** Rows next to each other that came from one side; `fromUs` and `toUs` are the first's and the last's open time. */
export type Part = {
  readonly from: 'hot' | 'warm'
  readonly rows: number
  readonly fromUs: bigint
  readonly toUs: bigint
}

type Timed = { readonly openTimeUs: bigint }

/** Both sides in time order and without duplicates. Of two rows of one time the warm one counts, unless `hotCounts`. */
export function mergeParts<R extends Timed>(
  hot: readonly R[], warm: readonly R[], hotCounts: (openTimeUs: bigint) => boolean,
): { readonly rows: R[]; readonly parts: readonly Part[] } {
  const rows: R[] = []
  const parts: { from: Part['from']; rows: number; fromUs: bigint; toUs: bigint }[] = []
  const take = (from: Part['from'], row: R): void => {
    rows.push(row)
    const last = parts.at(-1)
    if (last?.from !== from) return void parts.push({ from, rows: 1, fromUs: row.openTimeUs, toUs: row.openTimeUs })
    last.rows++
    last.toUs = row.openTimeUs
  }
  let [h, w] = [0, 0]
  while (h < hot.length || w < warm.length) {
    const [a, b] = [hot[h], warm[w]]
    if (b === undefined || (a !== undefined && a.openTimeUs < b.openTimeUs)) {
      take('hot', a!)
      h++
    } else if (a === undefined || b.openTimeUs < a.openTimeUs) {
      take('warm', b)
      w++
    } else {
      if (hotCounts(a.openTimeUs)) take('hot', a)
      else take('warm', b)
      h++
      w++
    }
  }
  return { rows, parts }
}
