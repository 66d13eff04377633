import type { Scenario } from './scenario.js'
import { archiveFaults } from './scenarios/archive-faults.js'
import { diskFull } from './scenarios/disk-full.js'
import { engineCrashed } from './scenarios/engine-crash.js'
import { feedCrashed } from './scenarios/feed-crash.js'
import { hotPostgresCrashed } from './scenarios/hot-postgres-crash.js'
import { cancelled, planners } from './scenarios/planners.js'
import { poisoned } from './scenarios/poisoned.js'
import { postgresCrashed } from './scenarios/postgres-crash.js'
import { redisFlushed, redisFull, redisRestarted } from './scenarios/redis-faults.js'
import { lockedZombies, zombies } from './scenarios/zombies.js'

/** Every fault but the kills, which are counted. */
export const SCENARIOS: readonly Scenario[] = [
  zombies, lockedZombies, redisFlushed, redisRestarted, redisFull, postgresCrashed, diskFull, engineCrashed, poisoned,
  archiveFaults, planners, cancelled, feedCrashed, hotPostgresCrashed,
]
