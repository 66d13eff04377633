import { expect } from 'chai'
import fc from 'fast-check'
import type { ParquetFooter } from '../../../src/domain/parquet-footer.js'
import { mergeRanges, missingRanges, planRanges, sizeOf, type ByteRange } from '../../../src/domain/plan-ranges.js'

const int64 = (value: bigint): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(value)
  return bytes
}

/** Three row groups of ten rows; each has 10 bytes of open_time, 100 of close, 1,000 of volume. */
function footer(statistics = true, type = 'TIMESTAMPTZ'): ParquetFooter {
  const rowGroups = [0, 1, 2].map((n) => {
    const at = 4 + n * 1_110
    const part = (column: string, start: number, size: number) => ({
      column,
      start,
      end: start + size,
      uncompressedBytes: size,
      codec: 'zstd',
      nulls: 0,
      min: statistics && column === 'open_time' ? int64(BigInt(n * 10)) : null,
      max: statistics && column === 'open_time' ? int64(BigInt(n * 10 + 9)) : null,
    })
    return {
      rows: 10,
      chunks: [part('open_time', at, 10), part('close', at + 10, 100), part('volume', at + 110, 1_000)],
    }
  })
  return { bytes: 4_000, rows: 30, columns: [{ name: 'open_time', type }], rowGroups, metadata: {}, start: 3_400 }
}

const range = (fromUs: bigint | null, toUs: bigint | null) => ({ fromUs, toUs })

describe('planRanges', () => {
  it('takes the chunks of wanted columns, and nothing of the others', () => {
    const plan = planRanges(footer(), { columns: ['open_time', 'close'], range: range(10n, 20n) })
    expect(plan).to.deep.equal({ groups: [1], ranges: [{ start: 1_114, end: 1_224 }], bytes: 110 })
  })

  it('leaves the end of a range out and takes its beginning', () => {
    const groups = (fromUs: bigint | null, toUs: bigint | null) =>
      planRanges(footer(), { columns: null, range: range(fromUs, toUs) }).groups
    expect(groups(9n, 10n)).to.deep.equal([0])
    expect(groups(9n, 11n)).to.deep.equal([0, 1])
    expect(groups(29n, null)).to.deep.equal([2])
    expect(groups(30n, null)).to.deep.equal([])
    expect(groups(null, 0n)).to.deep.equal([])
    expect(groups(null, null)).to.deep.equal([0, 1, 2])
  })

  it('takes every row group where the statistics do not tell', () => {
    const wanted = { columns: ['close'], range: range(10n, 20n) }
    expect(planRanges(footer(false), wanted).groups).to.deep.equal([0, 1, 2])
    expect(planRanges(footer(true, 'TIMESTAMP_MS'), wanted).groups, 'another unit').to.deep.equal([0, 1, 2])
  })
})

describe('byte ranges', () => {
  const ranges = fc.array(
    fc.tuple(fc.nat(60), fc.nat(9)).map(([start, size]): ByteRange => ({ start, end: start + size })),
  )
  const bytes = (list: readonly ByteRange[]): Set<number> =>
    new Set(list.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)))

  it('merged are the same bytes, in order and apart', () => {
    fc.assert(
      fc.property(ranges, (list) => {
        const merged = mergeRanges(list)
        expect(bytes(merged)).to.deep.equal(bytes(list))
        expect(sizeOf(merged)).to.equal(bytes(list).size)
        merged.slice(1).forEach((one, n) => expect(one.start).to.be.greaterThan(merged[n]!.end))
      }),
    )
  })

  it('merged over gaps cover the same bytes with gaps no longer than allowed', () => {
    fc.assert(
      fc.property(ranges, fc.nat(10), (list, gap) => {
        const merged = mergeRanges(list, gap)
        for (const byte of bytes(list))
          expect(merged.some(({ start, end }) => start <= byte && byte < end)).to.equal(true)
        merged.slice(1).forEach((one, n) => expect(one.start - merged[n]!.end).to.be.greaterThan(gap))
      }),
    )
  })

  it('missing are exactly those that are wanted and not present', () => {
    fc.assert(
      fc.property(ranges, ranges, (wanted, present) => {
        const have = bytes(present)
        const missing = missingRanges(mergeRanges(wanted), mergeRanges(present))
        expect([...bytes(missing)].sort()).to.deep.equal([...bytes(wanted)].filter((byte) => !have.has(byte)).sort())
      }),
    )
  })
})
