import { asPipelineError } from '../domain/errors.js'
import type { MigrateFailpoint } from '../domain/failpoints.js'
import { partitionKeyOf } from '../domain/partition.js'
import type { Migration } from '../domain/ports/migration.js'
import type { Stage } from '../domain/states.js'
import { directiveFor, outcomeOf } from './run-stage.js'
import type { Directive, Ports, StartedJob } from './stage.js'

export type MigratePorts = Pick<Ports, 'queue' | 'observe' | 'log' | 'pass'> & { readonly migration: Migration }

/**
 * One job of migrate. It claims nothing: its end is one transaction that counts anew, and keeps what changed, so two of
 * them may run at once, and one that died is begun again. A late month is handed to the stages that make months.
 */
export async function runMigrate(job: StartedJob, ports: MigratePorts, signal: AbortSignal): Promise<Directive> {
  const started = performance.now()
  const seen = { rows: 0 }
  const directive = await migrate(job, ports, signal, seen).catch((thrown: unknown) =>
    directiveFor(asPipelineError(thrown), job, signal))
  ports.observe({
    type: 'job', stage: 'migrate', partition: job.partition, outcome: outcomeOf(directive),
    code: directive.kind === 'done' ? null : directive.kind === 'delay' ? directive.code : directive.error.code,
    seconds: (performance.now() - started) / 1_000, waitSeconds: job.waitSeconds, bytesIn: 0, bytesOut: 0, rows: seen.rows,
  })
  return directive
}

async function migrate(
  job: StartedJob, ports: MigratePorts, signal: AbortSignal, seen: { rows: number },
): Promise<Directive> {
  const { partition } = job
  const { migration, log } = ports
  const at = partitionKeyOf(partition)
  const pass = (point: MigrateFailpoint): void => ports.pass(point, at)
  pass('migrate.started')
  const step = await migration.next(partition)
  switch (step?.kind) {
    case undefined: return { kind: 'done', outcome: 'skipped' }
    case 'wait':
      log.info('migrate.waits', { partition: at, why: step.why })
      return { kind: 'done', outcome: 'skipped' }
    case 'join': return await handOn(job, step.stage, step.generation, ports)
    case 'build': {
      const built = await migration.build(partition)
      if (built === null) return { kind: 'done', outcome: 'fenced' }
      pass('migrate.planned')
      return await handOn(job, 'download', built.generation, ports)
    }
    case 'reconcile': {
      const migrated = await migration.reconcile(partition, { pass, signal })
      if (migrated === null) return { kind: 'done', outcome: 'fenced' }
      const { report, ...rows } = migrated
      seen.rows = rows.removed
      log.info('migrate.done', { partition: at, ...rows, differing: report?.differing ?? 0 })
      return { kind: 'done', outcome: 'ok' }
    }
  }
}

/** The stages do the rest; a queue that has the job already leaves it as it is. */
async function handOn(
  { partition, kind }: StartedJob, stage: Stage, generation: number, ports: MigratePorts,
): Promise<Directive> {
  await ports.queue.enqueue([{ stage, partition, generation, kind }])
  ports.pass('migrate.enqueued', partitionKeyOf(partition))
  return { kind: 'done', outcome: 'ok' }
}
