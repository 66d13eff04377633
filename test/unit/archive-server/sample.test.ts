import { expect } from 'chai'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Open } from 'unzipper'
import { writeSampleArchive, type SampleFacts, type SampleFile } from '../../../src/archive-server/sample.js'
import { sha256Of } from '../../../src/archive-server/zip-member.js'
import { temporaryFolder } from './archive-under-test.js'

const HOUR_MS = 3_600_000

describe('the sample archive', () => {
  let root: string
  let facts: SampleFacts
  const csv = new Map<string, string[][]>()
  const rowsOf = (file: SampleFile): string[][] => csv.get(file.key) ?? []
  const find = (o: Partial<SampleFile>): SampleFile => {
    const wanted = Object.entries(o) as [keyof SampleFile, unknown][]
    const file = facts.files.find((one) => wanted.every(([name, value]) => one[name] === value))
    if (!file) throw new Error(`no file ${JSON.stringify(o)}`)
    return file
  }

  before(async function () {
    this.timeout(60_000)
    root = await temporaryFolder()
    facts = await writeSampleArchive(root)
    for (const file of facts.files) {
      const text = (await (await Open.file(file.path)).files[0]?.buffer())?.toString() ?? ''
      expect(text.endsWith('\n')).to.equal(true)
      csv.set(file.key, text.trimEnd().split('\n').map((row) => row.split(',')))
    }
  })
  after(() => rm(root, { recursive: true, force: true }))

  it('holds two symbols, two intervals, three months, and the first days of the last', () => {
    expect([facts.market, facts.symbols, facts.intervals, facts.from, facts.to])
      .to.deep.equal(['spot', ['BTCUSDT', 'ETHUSDT'], ['1m', '1h'], '2024-11', '2025-01'])
    expect(facts.files.map((file) => file.label + file.interval + file.symbol)).to.have.lengthOf(24).and.satisfy(
      (names: string[]) => new Set(names).size === 24)
    expect(facts.files.filter((file) => file.period === 'daily').map((file) => file.label))
      .to.have.members(['2025-01-01', '2025-01-02', '2025-01-03'].flatMap((day) => [day, day, day, day]))
  })

  it('is on disk as its facts say, CHECKSUM beside every ZIP', async () => {
    const onDisk = (await readdir(root, { recursive: true })).filter((name) => /\.(zip|CHECKSUM)$/.test(name)).sort()
    expect(onDisk).to.deep.equal(facts.files.flatMap((file) => [file.key, `${file.key}.CHECKSUM`]).sort())
    for (const file of facts.files) {
      const zip = await readFile(join(root, file.key))
      expect([zip.length, sha256Of(zip), rowsOf(file).length]).to.deep.equal([file.zipBytes, file.sha256Hex, file.rows])
    }
  })

  it('has one stale CHECKSUM and no other', async () => {
    const stale: string[] = []
    for (const file of facts.files) {
      const [digest, name] = (await readFile(`${file.path}.CHECKSUM`, 'utf8')).split('  ')
      expect(file.key.endsWith(`/${name}`)).to.equal(true)
      if (digest !== file.sha256Hex) stale.push(file.key)
    }
    expect(stale).to.deep.equal([facts.staleChecksum.key])
    expect(facts.staleChecksum.key).to.equal('data/spot/monthly/klines/ETHUSDT/1h/ETHUSDT-1h-2024-11.zip')
  })

  it('prints milliseconds before 2025 and microseconds from then on, and 8 decimals', () => {
    for (const file of facts.files) {
      const digits = file.label < '2025' ? 13 : 16
      expect(file.unit).to.equal(digits === 13 ? 'ms' : 'us')
      const [time, number] = [`\\d{${digits}}`, '\\d+\\.\\d{8}']
      const row = new RegExp(`^${time}(,${number}){5},${time},${number},\\d+(,${number}){2},0$`)
      expect(rowsOf(file).every((fields) => row.test(fields.join(','))), file.key).to.equal(true)
    }
  })

  it('lies on its grid but for the one gap, which both intervals show', () => {
    for (const file of facts.files) {
      const scale = file.unit === 'ms' ? 1 : 1000
      const step = file.interval === '1m' ? HOUR_MS / 60 : HOUR_MS
      const times = rowsOf(file).map((fields) => Number(fields[0]) / scale)
      const missing: number[] = []
      times.slice(1).forEach((time, at) => {
        for (let next = (times[at] ?? 0) + step; next < time; next += step) missing.push(next)
      })
      const gapped = file.symbol === facts.gap.symbol && file.label === facts.gap.month
      const wanted = gapped ? facts.gap.missingRows[file.interval] : 0
      expect(missing, file.key).to.have.lengthOf(wanted)
      if (gapped) expect([missing[0], (missing.at(-1) ?? 0) + step]).to.deep.equal([facts.gap.fromMs, facts.gap.toMs])
      expect(new Date(times[0] ?? 0).toISOString()).to.match(new RegExp(`^${file.label}(-01)?T00:00:00`))
      const closes = times.map((time) => (time + step) * scale - 1)
      expect(rowsOf(file).map((fields) => Number(fields[6]))).to.deep.equal(closes)
    }
  })

  it('has hours that are their minutes, to the last digit', () => {
    for (const file of facts.files.filter((one) => one.interval === '1h' && one.period === 'monthly')) {
      const minutes = new Map<number, string[][]>()
      for (const fields of rowsOf(find({ ...pick(file), interval: '1m' }))) {
        const hour = hourOf(fields, file.unit)
        minutes.set(hour, [...(minutes.get(hour) ?? []), fields])
      }
      const folded = [...minutes.values()].map((own) => foldExactly(own))
      const hours = rowsOf(file).map((fields) => [1, 2, 3, 4, 5, 7, 8, 9, 10].map((at) => exact(fields[at])))
      expect(folded).to.deep.equal(hours)
    }
  })

  it('has days that are part of their month', () => {
    for (const file of facts.files.filter((one) => one.period === 'daily')) {
      const month = rowsOf(find({ symbol: file.symbol, interval: file.interval, label: '2025-01' })).map(String)
      const start = month.indexOf(String(rowsOf(file)[0]))
      expect(start).to.be.at.least(0)
      expect(rowsOf(file).map(String)).to.deep.equal(month.slice(start, start + file.rows))
    }
  })

  it('has quote volumes that only exact numbers hold', () => {
    const digits = rowsOf(find({ symbol: 'BTCUSDT', interval: '1h', label: '2024-11' }))
      .map((fields) => (fields[7] ?? '').replace('.', '').replace(/^0+|0+$/g, '').length)
    expect(Math.max(...digits)).to.be.within(15, 17)
  })

  it('is the same, byte for byte, when written again', async function () {
    this.timeout(60_000)
    const other = await temporaryFolder()
    try {
      const again = await writeSampleArchive(other)
      const digestsOf = (one: SampleFacts) => one.files.map((file) => [file.key, file.sha256Hex])
      expect(digestsOf(again)).to.deep.equal(digestsOf(facts))
      const [one, two] = await Promise.all([root, other].map((folder) => stat(join(folder, facts.staleChecksum.key))))
      expect(one?.mtimeMs).to.equal(two?.mtimeMs)
    } finally {
      await rm(other, { recursive: true })
    }
  })
})

const pick = ({ symbol, label, period }: SampleFile) => ({ symbol, label, period })

const hourOf = (fields: string[], unit: 'ms' | 'us'): number =>
  Math.floor(Number(fields[0]) / (HOUR_MS * (unit === 'ms' ? 1 : 1000)))

/** A decimal with 8 places as a whole number; a count as it is. */
const exact = (text: string | undefined): bigint => BigInt((text ?? '').replace('.', ''))

function foldExactly(rows: string[][]): bigint[] {
  const column = (at: number): bigint[] => rows.map((fields) => exact(fields[at]))
  const sum = (at: number): bigint => column(at).reduce((a, b) => a + b, 0n)
  const extreme = (at: number, better: (a: bigint, b: bigint) => boolean): bigint =>
    column(at).reduce((a, b) => (better(a, b) ? a : b))
  return [
    exact(rows[0]?.[1]), extreme(2, (a, b) => a > b), extreme(3, (a, b) => a < b), exact(rows.at(-1)?.[4]),
    sum(5), sum(7), sum(8), sum(9), sum(10),
  ]
}
