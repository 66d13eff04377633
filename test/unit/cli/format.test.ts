import { expect } from 'chai'
import {
  formatByteRate,
  formatBytes,
  formatBytesOf,
  formatClock,
  formatCount,
  formatInstant,
  formatRowRate,
  formatRows,
  formatSeconds,
  plural,
} from '../../../src/cli/render/format.js'

const MIB = 1024 ** 2

const CASES: readonly (readonly [string, string])[] = [
  [formatCount(129_034), '129,034'],
  [formatCount(1_234.5), '1,234.5'],
  [formatCount(999), '999'],
  [formatCount(0), '0'],
  [formatBytes(0), '0 B'],
  [formatBytes(1_023), '1,023 B'],
  [formatBytes(1_024), '1 KiB'],
  [formatBytes(418 * MIB), '418 MiB'],
  [formatBytes(7 * MIB), '7 MiB'],
  [formatBytes(2.1 * 1024 ** 3), '2.1 GiB'],
  [formatBytes(1_023.9 * 1_024), '1 MiB'],
  [formatBytes(9.96 * MIB), '10 MiB'],
  [formatBytesOf(315 * MIB, 418 * MIB), '315/418 MiB'],
  [formatBytesOf(0, 2 * MIB), '0/2 MiB'],
  [formatByteRate(24 * MIB), '24 MiB/s'],
  [formatRows(5_400_000), '5.4 M rows'],
  [formatRows(1), '1 row'],
  [formatRows(999), '999 rows'],
  [formatRows(12_345), '12k rows'],
  [formatRows(999_600), '1.0 M rows'],
  [formatRowRate(310_000), '310k row/s'],
  [formatRowRate(1_250_000), '1.3M row/s'],
  [formatRowRate(42.4), '42 row/s'],
  [formatClock(9), '0:09'],
  [formatClock(754), '12:34'],
  [formatClock(3_723), '1:02:03'],
  [formatClock(null), '-:--'],
  [formatClock(Infinity), '-:--'],
  [formatClock(-1), '0:00'],
  [formatSeconds(0.94), '0.9s'],
  [formatSeconds(27.1), '27s'],
  [formatSeconds(9.96), '10s'],
  [formatSeconds(252), '4m12s'],
  [formatSeconds(3_900), '1h05m'],
  [formatSeconds(59.7), '1m00s'],
  [formatInstant(new Date('2026-11-22T20:31:14.999Z')), '2026-11-22T20:31:14Z'],
  [plural(1, 'partition'), '1 partition'],
  [plural(1_000, 'partition'), '1,000 partitions'],
]

describe('figures as people read them', () => {
  CASES.forEach(([is, want], i) => {
    it(`says ${want} (${i})`, () => expect(is).to.equal(want))
  })
})
