import type pg from 'pg'
import { openCatalog, type Catalog, type CatalogOptions } from '../../../src/adapters/postgres/connect.js'
import type { Certificate } from '../../../src/domain/certificate.js'
import type { Finding } from '../../../src/domain/findings.js'
import { incomingKeyOf, objectKeyOf, stagingFolderOf } from '../../../src/domain/names.js'
import { addMonths } from '../../../src/domain/month.js'
import { parsePartitionKey, type Partition } from '../../../src/domain/partition.js'
import { planPartitions } from '../../../src/domain/plan.js'
import type { Job, Run } from '../../../src/domain/ports/plan-catalog.js'
import type { Advance, Claim, Verified } from '../../../src/domain/ports/stage-catalog.js'
import type { Source, WantedSource } from '../../../src/domain/source.js'
import { STAGES, type Stage } from '../../../src/domain/states.js'
import { freshDatabase } from '../../support/postgres.js'

export const LEASE_MS = 60_000

export type Opened = Catalog & { readonly connection: pg.PoolConfig; readonly drop: () => Promise<void> }

/** A catalog in a database of its own, on the server that is given or on the one that tests share. */
export async function openFresh(o: Partial<CatalogOptions> = {}, server?: pg.PoolConfig): Promise<Opened> {
  const database = await freshDatabase(server)
  const catalog = await openCatalog({
    connection: database.connection, maxConnections: 8, applicationName: 'test', ...o,
  })
  return {
    ...catalog,
    connection: database.connection,
    drop: async () => {
      await catalog.close()
      await database.drop()
    },
  }
}

let symbols = 0

/** A partition that no other test of this process uses. */
export const newPartition = (month = '2024-01'): Partition => parsePartitionKey(`spot-klines/T${++symbols}USDT/1h/${month}`)

/** Months of one new series. */
export function newPartitions(count: number): Partition[] {
  const first = newPartition('1990-01')
  return Array.from({ length: count }, (_, i) => ({ ...first, month: addMonths('1990-01', i) }))
}

export const wantedSource = (p: Partition, etag = 'e1'): WantedSource =>
  ({ key: `data/${p.symbol}-${p.month}.zip`, bytes: 1_000, etag, lastModified: '2024-02-01T00:00:00.000Z' })

/** Plans as the planner does: asks, decides, records. */
export async function planned(
  catalog: Catalog, partitions: readonly Partition[], o: { run?: Run; etag?: string; force?: boolean; kind?: Run['kind'] } = {},
): Promise<{ run: Run; jobs: readonly Job[] }> {
  const run = o.run ?? (await catalog.plan.createRun({ kind: o.kind ?? 'backfill', request: {} }))
  const bounds = { firstMonth: '2017-08', lastMonth: '2024-12' }
  const wanted = partitions.map((partition) => ({ partition, sources: [wantedSource(partition, o.etag)], bounds }))
  const rows = await catalog.plan.rowsOf(partitions)
  return { run, jobs: await catalog.plan.apply({ run, decisions: planPartitions(wanted, rows, o.force) }) }
}

export async function claimed(
  catalog: Catalog, stage: Stage, partition: Partition, o: { generation?: number; workerId?: string; leaseMs?: number } = {},
): Promise<Claim> {
  const { generation = 1, workerId = 'w1', leaseMs = LEASE_MS } = o
  const result = await catalog.stage.claim({ stage, partition, generation, workerId, leaseMs })
  if (result.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(result)}`)
  return result.claim
}

export const source = (p: Partition): Source => ({
  ...wantedSource(p), bytes: 1_000, sha256Hex: 'a'.repeat(64), checksum: 'ok', checksumHex: 'a'.repeat(64),
  range: { fromUs: 1_704_067_200_000_000n, toUs: 1_706_745_600_000_000n },
})

/** What a stage's execution would record. */
export function advanceOf(c: Claim): Advance {
  const folder = stagingFolderOf(c.partition, c.generation, c.token)
  switch (c.stage) {
    case 'download': return {
      stage: 'download',
      downloaded: {
        folder, sources: [source(c.partition)], files: [{ key: `${folder}/source-0.zip`, bytes: 1_000, sha256Hex: 'a'.repeat(64) }],
      },
    }
    case 'convert': return {
      stage: 'convert',
      converted: {
        folder, revision: 'r'.repeat(64), file: { key: `${folder}/data.parquet`, bytes: 700, sha256Hex: 'b'.repeat(64) },
        figures: {
          rows: 744, sourceRows: 744, duplicatesDropped: 0, bytes: 700, sha256Hex: 'b'.repeat(64), logicalHash: 'h',
          firstOpenUs: 1_704_067_200_000_000n, lastOpenUs: 1_706_742_000_000_000n, inexactValues: 0, findings: [],
        },
      },
    }
    default: return {
      stage: 'upload',
      uploaded: { key: incomingKeyOf(c.partition, c.generation, c.token), etag: 'u', bytes: 700, sha256Hex: 'b'.repeat(64) },
    }
  }
}

/** What verify would decide; `revision` names the data. */
export const verifiedAs = (
  p: Partition, o: { revision?: string; state?: Verified['state']; findings?: readonly Finding[]; gaps?: number } = {},
): Verified => ({
  state: o.state ?? 'verified',
  published: {
    key: objectKeyOf(p), etag: 'p1', bytes: 700, sha256Hex: 'b'.repeat(64), rows: 744, revision: o.revision ?? 'r'.repeat(64),
  },
  certificate: {
    v: 1, data: { firstOpenUs: 1_704_067_200_000_000n, rows: 744 }, dataHash: 'd', findings: o.findings ?? [], verdict: 'verified',
    gaps: Array.from({ length: o.gaps ?? 1 }, (_, i) => ({
      fromUs: BigInt(i) * 10n, toUs: BigInt(i) * 10n + 5n, missing: 1, class: 'outage', calendar: 'spot-1',
    })),
    checksums: [], calendarVersion: '1', generation: 1, issuedAt: '2024-03-01T00:00:00.000Z',
  } as unknown as Certificate,
})

/** Does a partition's stages up to before `stage`, which is then the one it waits for. */
export async function advancedTo(catalog: Catalog, partition: Partition, stage: Stage, generation = 1): Promise<void> {
  for (const before of STAGES.slice(0, STAGES.indexOf(stage))) {
    const c = await claimed(catalog, before, partition, { generation })
    if (!(await catalog.stage.commit(c, advanceOf(c)))) throw new Error(`${before} was fenced`)
  }
}

/** Does all stages. */
export async function published(
  catalog: Catalog, partition: Partition, o: { generation?: number } & Parameters<typeof verifiedAs>[1] = {},
): Promise<void> {
  await advancedTo(catalog, partition, 'verify', o.generation)
  const c = await claimed(catalog, 'verify', partition, { generation: o.generation ?? 1 })
  if (!(await catalog.stage.publish(c, () => Promise.resolve(verifiedAs(partition, o))))) throw new Error('publish was fenced')
}

/** Lets a lease run out, as the passing of time would. */
export async function expire(catalog: Catalog, token: string): Promise<void> {
  const { rowCount } = await catalog.pool.query(
    `update partitions set lease_until = now() - interval '1 second' where lease_token = $1`, [token])
  if (rowCount !== 1) throw new Error('no such lease')
}

/** A partition's row as it is stored. */
export async function rowOf(catalog: Catalog, p: Partition): Promise<Record<string, unknown>> {
  const { rows } = await catalog.pool.query<Record<string, unknown>>(
    'select * from partitions where dataset = $1 and symbol = $2 and "interval" = $3 and month = $4',
    [p.dataset, p.symbol, p.interval, p.month])
  if (!rows[0]) throw new Error('no such row')
  return rows[0]
}
