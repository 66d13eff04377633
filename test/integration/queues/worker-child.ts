/** A worker process that never finishes a job: prints `started ID` and waits to be killed. Its argument is JSON. */
import type { BackendOptions } from '../../../src/queues/queue-backend.js'
import { openBackend } from '../../../src/queues/backend.js'
import { startWorkers } from '../../../src/workers/runtime.js'
import { lines } from '../../contract/queue.harness.js'

const { options, lockMs } = JSON.parse(process.argv[2] ?? '{}') as { options: BackendOptions; lockMs: number }
startWorkers({
  backend: await openBackend(options),
  stages: [{ stage: 'download', concurrency: 1 }],
  name: 'child',
  log: lines().log,
  lockMs,
  run: async (job) => {
    process.stdout.write(`started ${job.partition.month} ${job.attempt}\n`)
    return new Promise(() => undefined)
  },
})
