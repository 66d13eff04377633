import { setTimeout as sleep } from 'node:timers/promises'
import { MIGRATE_FAILPOINTS, type Failpoint } from '../../src/domain/failpoints.js'
import { monthRange } from '../../src/domain/month.js'
import { partitionKeyOf, type Partition } from '../../src/domain/partition.js'
import { sliceOf } from '../../src/domain/slice.js'
import { hotCandleOf } from '../../src/lake/hot-repository.js'
import { SYMBOLS } from './archive-sample.js'
import { HotReader, Truth, type Row } from './hot-reader.js'
import { killAt, type Kill } from './kill-at.js'
import { openRig, until, type BackendName, type Rig } from './rig.js'
import { randomOf, shuffled, type Outcome } from './scenario.js'
import { settle } from './settle.js'

const MONTHS = 3
const REACH_MS = 60_000
const FEED_MS = 3_000
const HALF_HOUR_US = 1_800_000_000n

/** On the way of a month that is built of hot rows. */
const BUILD_POINTS: readonly Failpoint[] = [
  'migrate.planned', 'migrate.enqueued', 'download.fetched', 'convert.written', 'upload.put', 'verify.published',
  'verify.committed',
]
/** Every point at which a migration may die. */
export const MIGRATION_POINTS: readonly Failpoint[] = [...new Set<Failpoint>([...MIGRATE_FAILPOINTS, ...BUILD_POINTS])]

export type MigrateCampaign = {
  readonly backend: BackendName
  readonly count: number
  readonly seed: number
  readonly say?: (line: string) => void
}

/**
 * Kills workers while hot rows are migrated, and polls the months hot and warm as one from another process all the
 * while. The first symbol's months are verified: rows that come late leave again, but for one that the archive lacks.
 * The second symbol's archive is late: every change of its rows builds the month anew.
 */
export async function migrateCampaign(o: MigrateCampaign): Promise<Outcome & { readonly kills: readonly Kill[] }> {
  const rig = await openRig({ backend: o.backend, months: MONTHS })
  const random = randomOf(o.seed)
  const kills: Kill[] = []
  const wrong: string[] = []
  try {
    const world = await prepare(rig)
    const reader = new HotReader(await rig.app.repository(), world.truth)
    while (kills.length < o.count && wrong.length === 0) {
      for (const point of shuffled(MIGRATION_POINTS, random).slice(0, o.count - kills.length)) {
        const kill = await migratingKilled(world, point, kills.length)
        if (kill) kills.push(kill)
        else wrong.push(`no worker died at ${point}`)
      }
      wrong.push(...reader.violations.filter((one) => !wrong.includes(one)))
      o.say?.(`${o.backend}: ${kills.length} of ${o.count} killed, ${reader.reads} readings, ${wrong.length} violations`)
    }
    wrong.push(...await ending(world))
    await reader.stop()
    wrong.push(...reader.violations.filter((one) => !wrong.includes(one)))
    if (reader.reads < kills.length) wrong.push(`only ${reader.reads} readings`)
    return { faults: kills.length, violations: wrong, kills }
  } finally {
    await rig.close()
  }
}

type World = {
  readonly rig: Rig
  readonly truth: Truth
  readonly verified: readonly Partition[]
  readonly late: readonly Partition[]
}

/** Months of the first symbol in the lake, and the rows that both symbols have hot. */
async function prepare(rig: Rig): Promise<World> {
  const of = (symbol: string): Partition[] => rig.sample.partitions.filter((p) => p.symbol === symbol)
  const [verified, late] = [of(SYMBOLS[0]), of(SYMBOLS[1])]
  const worker = rig.worker()
  await rig.plan({ symbols: [SYMBOLS[0]] })
  const wrong = await settle(rig)
  await worker.drain()
  if (wrong.length > 0) throw new Error(wrong.join('; '))
  const world = { rig, truth: new Truth(), verified, late }
  const repository = await rig.app.repository()
  for (const [i, p] of verified.entries()) {
    const { fromUs, toUs } = monthRange(p.month)
    const rows = await repository.getByDateRange(sliceOf(p, fromUs, toUs))
    const extra = between(rows)
    await saved(world, p, [...rows, extra], [extra])
    if (late[i]) await saved(world, late[i], rows, rows)
  }
  return world
}

/** A row that no archive has, in the middle of a month. */
function between(rows: readonly Row[]): Row {
  const row = rows[Math.floor(rows.length / 2)]
  if (!row) throw new Error('the month has no rows')
  return { ...row, openTimeUs: row.openTimeUs + HALF_HOUR_US }
}

/** Stores `given`, after which the month shows `rows`. */
async function saved({ rig, truth }: World, p: Partition, rows: readonly Row[], given: readonly Row[]): Promise<void> {
  const hot = await rig.app.hot()
  await truth.change(p, new Map(rows.map((row) => [row.openTimeUs, row])), () =>
    hot.save(p, given.map((row) => hotCandleOf(row, p, 'double')), 'closed'))
}

/** A worker that dies while it migrates a month whose rows came late. */
async function migratingKilled(world: World, point: Failpoint, n: number): Promise<Kill | null> {
  const isBuild = BUILD_POINTS.includes(point)
  const months = isBuild ? world.late : world.verified
  const p = months[n % months.length]
  if (!p) throw new Error('no month')
  await comeLate(world, p, n, isBuild)
  return await killAt(world.rig, point, {
    reachMs: REACH_MS, feed: (signal) => keepFed(world, p, n, isBuild, signal),
  })
}

/** Some rows of a month again, one of them otherwise: a correction where they are all there is, else a mistake. */
async function comeLate(world: World, p: Partition, n: number, isTruth: boolean): Promise<void> {
  const rows = [...world.truth.rows(p).values()]
  const at = (n * 37) % (rows.length - 30)
  const late = rows.slice(at, at + 30).map((row, i) => (i === 3 ? { ...row, trades: row.trades + n + 1 } : row))
  const after = new Map(rows.map((row) => [row.openTimeUs, row]))
  if (isTruth) for (const row of late) after.set(row.openTimeUs, row)
  await saved(world, p, [...after.values()], late)
  await world.rig.app.enqueueMigrations([p])
}

/** What a dead worker left may end without the point: what was planned already is made of the rows that come now. */
async function keepFed(world: World, p: Partition, n: number, isTruth: boolean, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(FEED_MS, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await comeLate(world, p, ++n, isTruth)
  }
}

/** Once more for every month, by a worker that lives: what is left hot is what the archive does not have. */
async function ending({ rig, truth, verified, late }: World): Promise<string[]> {
  const worker = rig.worker()
  await settle(rig)
  await rig.app.enqueueMigrations([...verified, ...late])
  const wrong = await settle(rig)
  const hot = await rig.app.hot()
  const isDone = await until(async () => {
    const [any] = verified
    return any !== undefined && (await hot.days(any)).length === verified.length
  }, REACH_MS)
  if (!isDone) wrong.push('rows that verified months hold stayed hot')
  await worker.drain()
  for (const p of late) {
    const { fromUs, toUs } = monthRange(p.month)
    const rows = await hot.read(sliceOf(p, fromUs, toUs))
    if (rows.length !== truth.rows(p).size) wrong.push(`${partitionKeyOf(p)}: ${rows.length} rows are hot`)
    const [row] = await rowsOf(rig, p)
    if (row?.certificate?.verdict !== 'provisional') wrong.push(`${partitionKeyOf(p)} was not built`)
    else if (row.published?.rows !== truth.rows(p).size) wrong.push(`${partitionKeyOf(p)} was built of other rows`)
  }
  for (const p of verified) {
    const reports = await rig.app.hotReports({ symbols: [p.symbol], months: [p.month] })
    if (!reports.some(({ differing }) => differing > 0)) wrong.push(`${partitionKeyOf(p)}: no report names a difference`)
  }
  return wrong
}

async function rowsOf(rig: Rig, { symbol, month }: Partition) {
  const found = []
  for await (const row of (await rig.app.keeper()).partitions({ symbols: [symbol], months: [month] })) found.push(row)
  return found
}

