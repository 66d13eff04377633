import type { App } from './cli/app.js'
import type { Services } from './compose-services.js'
import type { Config } from './config.js'
import { hotKeyOf, isHotKey } from './domain/hot-source.js'
import type { MigrationReport } from './domain/migration.js'
import type { Partition } from './domain/partition.js'
import type { Archive } from './domain/ports/archive.js'
import type { Migration } from './domain/ports/migration.js'
import { rowNow } from './workers/published-row.js'

/** Hot rows past retention, over the services of this process. DuckDB is loaded where months are compared. */
export function composeMigration({ numericType, hotDays }: Config, services: Services): Migration {
  return {
    next: async (p) => {
      const { hot, keeper } = await services.catalog()
      const [{ isPast, retentionLimitUs }, { contentsOf, nextStep }] =
        await Promise.all([import('./lake/retention.js'), import('./lake/plan-migrations.js')])
      const now = new Date()
      const limitUs = retentionLimitUs(now, hotDays)
      const days = await contentsOf(hot, p)
      if (!days.some(({ day }) => isPast(day, limitUs))) return null
      return await nextStep({ rowOf: (one) => rowNow(one, keeper), now, contents: () => Promise.resolve(days) }, p)
    },
    reconcile: async (p, o) => {
      const { hot, migration } = await services.catalog()
      const [{ migrateMonth }, { retentionLimitUs }] =
        await Promise.all([import('./lake/migrate-hot.js'), import('./lake/retention.js')])
      const ports = { hot, lake: await services.query(), numericType, record: (report: MigrationReport) => migration.record(report), ...o }
      return await migrateMonth(ports, p, retentionLimitUs(new Date(), hotDays))
    },
    build: async (p) => {
      const { migration } = await services.catalog()
      const sources = [{ key: hotKeyOf(p), bytes: null, etag: null, lastModified: null }]
      return await migration.build({ partition: p, sources })
    },
  }
}

type MigrationWork = Pick<App, 'migrations' | 'enqueueMigrations' | 'hotReports' | 'newestHotReport'>

/** What the command asks for. */
export function composeMigrations({ hotDays }: Config, services: Services): MigrationWork {
  return {
    migrations: async (matches) => {
      const { hot, keeper } = await services.catalog()
      const { planMigrations } = await import('./lake/plan-migrations.js')
      const rowOf = (p: Partition): ReturnType<typeof rowNow> => rowNow(p, keeper)
      return await planMigrations({ hot, rowOf, hotDays, now: new Date() }, matches)
    },
    enqueueMigrations: async (partitions) => {
      const jobs = partitions.map((partition) => (
        { stage: 'migrate' as const, partition, generation: 1, kind: 'incremental' as const }))
      await (await services.queue()).enqueue(jobs)
      return jobs
    },
    hotReports: async (filter, afterId) => await (await services.catalog()).migration.reports(filter, afterId),
    newestHotReport: async () => await (await services.catalog()).migration.newestReport(),
  }
}

/** The archive, and beside it hot rows as if they were files of it. */
export async function archiveAndHot(services: Services): Promise<Archive> {
  const [archive, { hot }] = [await services.archive(), await services.catalog()]
  const { hotArchive } = await import('./lake/hot-archive.js')
  const rows = hotArchive(hot)
  return { fetch: async (o) => await (isHotKey(o.wanted.key) ? rows : archive).fetch(o) }
}
