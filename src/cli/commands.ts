import type { CommandGroup, CommandSpec } from './command.js'
import { backfill } from './commands/backfill.js'
import { cancel } from './commands/cancel.js'
import { catalog } from './commands/catalog.js'
import { completion } from './commands/completion.js'
import { demo } from './commands/demo.js'
import { doctor } from './commands/doctor.js'
import { exportCommand } from './commands/export.js'
import { gc } from './commands/gc.js'
import { hot } from './commands/hot.js'
import { lake } from './commands/lake.js'
import { migrate } from './commands/migrate.js'
import { query } from './commands/query.js'
import { quarantine } from './commands/quarantine.js'
import { reconcile } from './commands/reconcile.js'
import { schedule } from './commands/schedule.js'
import { server } from './commands/server.js'
import { status } from './commands/status.js'
import { sync } from './commands/sync.js'
import { tail } from './commands/tail.js'
import { verify } from './commands/verify.js'
import { worker } from './commands/worker.js'
import { workers } from './commands/workers.js'

/** Every command, in the order in which help lists them. */
export const COMMANDS: readonly (CommandSpec | CommandGroup)[] = [
  demo, backfill, worker, workers, status, cancel, verify, query, exportCommand, hot, migrate, sync, tail,
  schedule, reconcile, gc, catalog, quarantine, lake, server, doctor, completion,
]
