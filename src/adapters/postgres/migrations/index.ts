import type { Migration } from 'kysely'
import { catalog } from './001_catalog.js'
import { lakeId } from './002_lake_id.js'
import { workersLost } from './003_workers.js'
import { hot } from './004_hot.js'
import { comparing } from './005_comparing.js'
import { hotReports } from './006_migrations.js'
import { feed } from './007_feed.js'

/** Every migration by name; names sort in the order of their numbers, and one that was released never changes. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '001_catalog': catalog,
  '002_lake_id': lakeId,
  '003_workers': workersLost,
  '004_hot': hot,
  '005_comparing': comparing,
  '006_migrations': hotReports,
  '007_feed': feed,
}
