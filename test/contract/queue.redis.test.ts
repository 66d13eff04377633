import { queueContract } from './queue.contract.js'
import { redisPlace } from './queue.harness.js'

queueContract('redis', redisPlace)
