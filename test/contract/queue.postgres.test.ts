import { queueContract } from './queue.contract.js'
import { postgresPlace } from './queue.harness.js'

queueContract('postgres', postgresPlace)
