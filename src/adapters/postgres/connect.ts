import { Kysely, PostgresDialect, sql } from 'kysely'
import type pg from 'pg'
import type { HotFeed } from '../../domain/ports/hot-feed.js'
import type { HotStore } from '../../domain/ports/hot-store.js'
import type { KeeperCatalog } from '../../domain/ports/keeper-catalog.js'
import type { LakeIndex } from '../../domain/ports/lake-index.js'
import type { MigrationCatalog } from '../../domain/ports/migration-catalog.js'
import type { Log } from '../../domain/ports/observe.js'
import type { PlanCatalog } from '../../domain/ports/plan-catalog.js'
import type { StageCatalog } from '../../domain/ports/stage-catalog.js'
import { hotFeed } from './hot/hot-feed.js'
import { hotStore } from './hot/hot-store.js'
import { migrationCatalog } from './hot/migration-catalog.js'
import { keeperCatalog } from './keeper-catalog.js'
import { lakeIndex } from './lake-index.js'
import { migrate } from './migrate.js'
import { planCatalog } from './plan-catalog.js'
import { guarded, openPool } from './pool.js'
import { stageCatalog } from './stage-catalog.js'

/** The catalog's faces and the hot rows over one pool of connections. */
export type Catalog = {
  readonly stage: StageCatalog
  readonly plan: PlanCatalog
  readonly keeper: KeeperCatalog
  readonly hot: HotStore
  readonly feed: HotFeed
  readonly migration: MigrationCatalog
  readonly index: LakeIndex
  /** The connections themselves; int8 comes as number, and names are looked up in the catalog's schema. */
  readonly pool: pg.Pool
  /** @throws {CATALOG_UNREACHABLE} */
  ping(): Promise<void>
  close(): Promise<void>
}

export type CatalogOptions = {
  readonly connection: pg.PoolConfig | string
  readonly maxConnections: number
  readonly applicationName: string
  readonly log?: Log
  /** Default `candlelake`. */
  readonly schema?: string
  /** A partition that so many claims in a row left without an orderly end is poisoned. Default 10. */
  readonly maxCrashes?: number
}

/**
 * Connects, migrates, and gives the catalog.
 * @throws {CATALOG_UNREACHABLE} @throws {CATALOG_NEWER} @throws {BAD_CONFIG} when the address cannot be read
 */
export async function openCatalog(o: CatalogOptions): Promise<Catalog> {
  const schema = o.schema ?? 'candlelake'
  const { pool, where } = openPool({ ...o, schema })
  const db = new Kysely<unknown>({ dialect: new PostgresDialect({ pool: guarded(pool, where) }) })
  const ping = async (): Promise<void> => void (await sql`select 1`.execute(db))
  try {
    await migrate(db, schema)
  } catch (thrown) {
    await pool.end()
    throw thrown
  }
  const feed = hotFeed({ ...o, db, pool, where, schema })
  let closed: Promise<void> | undefined
  return {
    stage: stageCatalog(db, { maxCrashes: o.maxCrashes ?? 10 }),
    plan: planCatalog(db),
    keeper: keeperCatalog(db),
    hot: hotStore(db, { pool, where }),
    feed,
    migration: migrationCatalog(db),
    index: lakeIndex(db),
    pool,
    ping,
    close: () => (closed ??= feed.close().finally(() => pool.end())),
  }
}
