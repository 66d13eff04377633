import type { Config } from '../config.js'
import type { Candle } from '../domain/candle-row.js'
import type { StoredReport } from '../domain/migration.js'
import type { Partition, Series } from '../domain/partition.js'
import type { ArchiveListing } from '../domain/ports/archive.js'
import type { CandleSource } from '../domain/ports/candle-source.js'
import type { FeedListener, SubscribeOptions, Subscription } from '../domain/ports/hot-feed.js'
import type { HotStore } from '../domain/ports/hot-store.js'
import type { JobQueue } from '../domain/ports/job-queue.js'
import type { KeeperCatalog, PartitionFilter } from '../domain/ports/keeper-catalog.js'
import type { ObjectStore } from '../domain/ports/object-store.js'
import type { Log, Observe } from '../domain/ports/observe.js'
import type { Job, PlanCatalog, Run } from '../domain/ports/plan-catalog.js'
import type { Staging } from '../domain/ports/staging.js'
import type { Schedules } from '../domain/ports/schedules.js'
import type { OpenRange } from '../domain/range.js'
import type { JobStage } from '../domain/states.js'
import type { CandleQuery, CandleQueryOptions } from '../lake/candle-query.js'
import type { FileQuery } from '../lake/file-query.js'
import type { HybridRepository } from '../lake/hybrid-repository.js'
import type { Loaded, LoadedMonth } from '../lake/load-hot.js'
import type { MonthToMigrate } from '../lake/plan-migrations.js'
import type { PrunedDay } from '../lake/prune-hot.js'
import type { Synced, Unsynced } from '../lake/sync-hot.js'
import type { GarbageReport, GcOptions } from '../workers/gc.js'
import type { LakeMoved } from '../workers/move-lake.js'
import type { PlanFigures } from '../workers/plan.js'
import type { Rebuilt } from '../workers/rebuild-catalog.js'
import type { Reconciled } from '../workers/reconcile.js'
import type { StoredCheck } from '../workers/verify-stored.js'
import type { BackfillRequest } from '../workers/wanted.js'

/**
 * What the commands need of the system, made by `compose.ts`. Nothing is opened before it is asked for, and what was
 * opened is shared by later calls and closed by `close`.
 */
export interface App {
  readonly config: Config
  plans(): Promise<PlanCatalog>
  keeper(): Promise<KeeperCatalog>
  queue(): Promise<JobQueue>
  listing(): Promise<ArchiveListing>
  lake(): Promise<ObjectStore>
  staging(): Promise<Staging>
  /** Finds the wanted partitions and, unless `dryRun`, makes a run of them and enqueues what is to be done. */
  plan(request: BackfillRequest, o: PlanOptions): Promise<PlanReport>
  /** Takes jobs of the given stages in this process, and reconciles every `RECONCILE_SECONDS`, until drained. */
  startWorkers(o: WorkerOptions): Promise<Workers>
  /** One pass: lost jobs back into the queue, ended runs closed, leftovers swept. */
  reconcile(): Promise<Reconciled>
  /** Surveys what nothing needs, or with `remove` deletes it. @throws {CATALOG_INCOMPLETE, LAKE_MISMATCH} */
  garbage(o: Omit<GcOptions, 'keepRevisions'> & { readonly remove: boolean }): Promise<GarbageReport>
  /** Makes sure, before work begins, that lake and staging are this catalog's. @throws {LAKE_MISMATCH} */
  claimLake(): Promise<void>
  /** Makes the lake this catalog's; gives the id of the catalog that had it. @throws {NUMERIC_TYPE_MISMATCH} */
  takeLake(o: { dryRun: boolean }): Promise<string | null>
  /** Makes catalog rows of what the lake holds. @throws {NUMERIC_TYPE_MISMATCH} */
  rebuildCatalog(o: {
    matches: (partition: Partition) => boolean; dryRun: boolean; signal: AbortSignal
  }): AsyncIterable<Rebuilt>
  /** Reads stored partitions back and compares them with the catalog; changes nothing. */
  verifyStored(o: { filter: PartitionFilter; signal: AbortSignal }): AsyncIterable<StoredCheck>
  /** Records that the catalog's lake lies at LAKE_URL now. @throws {LAKE_MISMATCH} */
  moveLake(o: { dryRun: boolean }): Promise<LakeMoved>
  /** Starts quarantined partitions over in a run of kind `retry`. */
  retryQuarantined(partitions: readonly Partition[]): Promise<{ readonly run: Run; readonly started: number }>
  /** The HTTP server: dashboard, metrics, health. @throws {UNSAFE_BIND} */
  serve(o: { host: string; port: number }): Promise<Serving>
  /** Questions to the lake; without options as configured. */
  query(o?: CandleQueryOptions): Promise<CandleQuery<unknown>>
  /** Questions to Parquet files of anybody's, as one table `files`. @throws {BAD_USAGE, BAD_CONFIG} */
  files(addresses: readonly string[]): Promise<FileQuery>
  /** Candles of the lake, or of the archive itself, to be exported. */
  candles(from: 'lake' | 'archive'): Promise<CandleSource>
  /** The rows of Parquet files that open in the range as one file, in order; gives how many. @throws {DISK_FULL} */
  mergeParquet(o: { paths: readonly string[]; range: OpenRange; path: string; signal: AbortSignal }): Promise<number>
  /** Recent rows in Postgres. */
  hot(): Promise<HotStore>
  /** New and corrected rows as they are committed; numbers as the lake holds them. @throws {BAD_CONFIG, BAD_USAGE} */
  subscribe(series: Series, listener: FeedListener<Candle<unknown>>, o?: SubscribeOptions): Promise<Subscription>
  /** Brings series up to now from the exchange, one after the other; `fromUs` null: from after the newest row. */
  sync(o: { series: readonly Series[]; fromUs: bigint | null; signal: AbortSignal }): AsyncIterable<Synced | Unsynced>
  /** What is done again and again. Opens the queues. */
  schedules(): Promise<Schedules>
  /** Runs ticks of the schedules in this process; `onTick` hears what each came to. */
  runSchedules(o: { onTick: (tick: Tick) => void }): Promise<{ close(): Promise<void> }>
  /** Copies verified months into the hot rows. */
  loadHot(o: { filter: PartitionFilter; signal: AbortSignal }): AsyncIterable<LoadedMonth>
  /** Takes klines of a CSV file, `-` for stdin, into the hot rows. @throws {BAD_USAGE, CORRUPT} */
  loadHotCsv(o: { series: Series; file: string; signal: AbortSignal }): Promise<Loaded>
  /** Lets hot rows past HOT_DAYS go that verified months hold. */
  pruneHot(o: { dryRun: boolean; signal: AbortSignal }): AsyncIterable<PrunedDay>
  /** Months of series that match with hot rows past HOT_DAYS, and what is to be done for each. */
  migrations(matches: (series: Series) => boolean): Promise<readonly MonthToMigrate[]>
  /** Enqueues a job of migrate for each; one that waits already is left as it is. */
  enqueueMigrations(partitions: readonly Partition[]): Promise<readonly Job[]>
  /** What comparisons of hot rows with their months found, the newest first. */
  hotReports(filter: PartitionFilter, afterId?: number): Promise<readonly StoredReport[]>
  newestHotReport(): Promise<number>
  /** Hot rows and the lake as one; numbers as the lake holds them. */
  repository(): Promise<HybridRepository<unknown>>
  /** Whose it says it is; writes nothing. @throws {LAKE_MISMATCH} when it is another catalog's */
  askOwner(what: 'lake' | 'staging'): Promise<void>
  /** A request to the archive itself; the Date header tells how wrong this clock is. @throws {ARCHIVE_UNREACHABLE} */
  askArchive(): Promise<{ readonly date: Date | null }>
  /** Starts a slot of the engine and ends it again; gives its name and version. @throws {ENGINE_FAILED} */
  askEngine(): Promise<string>
  /** What keeps the catalog, for people: `embedded Postgres 18.4` or `Postgres 16.3 at lake@db:5432`. Opens it. */
  describeCatalog(): Promise<string>
  /** The same for the queue: `Postgres, in the catalog` or `Redis 7.4 at cache:6379`. Opens it. */
  describeQueue(): Promise<string>
  close(): Promise<void>
  /** Closes, and deletes the embedded database, which may lie outside the home: for a home that is thrown away. */
  discard(): Promise<void>
}

/** Makes the facade; throws nothing that a service could cause. `observe` hears what happens in this process. */
export type OpenApp = (o: { config: Config; log: Log; observe: Observe }) => App

/** A tick that was done, with its figures: rows stored, or partitions planned. */
export type Tick = Readonly<Record<string, string | number>>

export type PlanOptions = {
  /** Default: backfill. Incremental work goes before it in every queue. */
  readonly kind?: 'backfill' | 'incremental'
  readonly dryRun: boolean
  /** Does finished partitions again, quarantined ones too. */
  readonly force: boolean
  /** What was asked for, as given; stored with the run and shown to people. */
  readonly asked: Readonly<Record<string, unknown>>
  readonly signal: AbortSignal
  readonly onProgress: (figures: PlanFigures) => void
}

/** What a plan came to; `run` is null after a dry run. `freeBytes` is where the lake grows, null where nothing says. */
export type PlanReport = PlanFigures & {
  readonly run: Run | null
  readonly freeBytes: number | null
  /** Named series of which the archive has no file at all: `ETHUSTD 1h`. */
  readonly unknown: readonly string[]
}

export type WorkerOptions = {
  readonly stages: readonly JobStage[]
  /** Jobs of a stage at once; what is left out is as configured. */
  readonly concurrency: Readonly<Partial<Record<JobStage, number>>>
}

export interface Workers {
  readonly id: string
  readonly concurrency: Readonly<Partial<Record<JobStage, number>>>
  /** Takes no new job and resolves when those in hand are done. Twice is the same as once. */
  drain(graceMs?: number): Promise<void>
}

export interface Serving {
  /** `http://127.0.0.1:3000`. */
  readonly url: string
  close(): Promise<void>
}
