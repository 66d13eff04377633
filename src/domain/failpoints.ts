/** Points between an effect of a partition's stages and the record of it, at which a worker may die. */
export const STAGE_FAILPOINTS = [
  'download.claimed', 'download.fetched', 'download.staged', 'download.committed', 'download.enqueued',
  'convert.claimed', 'convert.written', 'convert.staged', 'convert.committed', 'convert.enqueued',
  'upload.claimed', 'upload.put', 'upload.committed', 'upload.enqueued',
  'verify.claimed', 'verify.inspected', 'verify.locked', 'verify.kept', 'verify.published', 'verify.certified',
  'verify.committed', 'verify.swept',
] as const

/** The same of migrate, where rows leave that readers see: `locked` is before its transaction ends, `removed` after. */
export const MIGRATE_FAILPOINTS = [
  'migrate.started', 'migrate.compared', 'migrate.reported', 'migrate.corrected', 'migrate.locked', 'migrate.removed',
  'migrate.planned', 'migrate.enqueued',
] as const
export type MigrateFailpoint = (typeof MIGRATE_FAILPOINTS)[number]

/**
 * Every point at which a worker may die. Tests arm one by name; in production passing one costs a comparison. The lists
 * are what the fault campaigns walk through.
 */
export const FAILPOINTS = [...STAGE_FAILPOINTS, ...MIGRATE_FAILPOINTS] as const
export type Failpoint = (typeof FAILPOINTS)[number]

/** Called at each point; may kill or stop the process when a test armed it. */
export type PassFailpoint = (point: Failpoint, partition: string) => void
