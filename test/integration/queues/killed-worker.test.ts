import { expect } from 'chai'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { BackendOptions } from '../../../src/queues/queue-backend.js'
import { Bench, jobOf, lines, PLACES, until, type QueuePlace } from '../../contract/queue.harness.js'

const LOCK_MS = 1_500

for (const [name, make] of PLACES) {
  describe(`${name}: a worker killed with -9`, function () {
    this.timeout(120_000)
    let place: QueuePlace
    let bench: Bench
    const children: ChildProcess[] = []
    beforeEach(async () => {
      place = await make()
      bench = await Bench.open(place.options)
    })
    afterEach(async () => {
      for (const child of children.splice(0)) child.kill('SIGKILL')
      await bench.close()
      await place.clean()
    })

    const startAndKill = async (options: BackendOptions): Promise<string> => {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'worker-child.js'), JSON.stringify({ options, lockMs: LOCK_MS })], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      children.push(child)
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const gone = once(child, 'exit') as Promise<[number | null, string | null]>
      child.kill('SIGKILL')
      expect((await gone)[1], 'how the worker ended').to.equal('SIGKILL')
      return String(line).trim()
    }

    it('loses its job to another one within a lock and a check, without an attempt, as often as it happens', async () => {
      await bench.queue.enqueue([jobOf(0)])
      // BullMQ's own limit of one stall would fail the job at the second of these.
      for (let kill = 0; kill < 3; kill++) expect(await startAndKill(place.options)).to.equal('started 2017-01 0')
      const killed = Date.now()
      const { log, events } = lines()
      const stalls: string[] = []
      const { started } = bench.script([], { lockMs: LOCK_MS, log, onStalled: (stage) => stalls.push(stage) })
      await bench.counted('completed', 1)
      expect(Date.now() - killed).to.be.lessThan(LOCK_MS + LOCK_MS / 3 + 5_000)
      expect(started.map((job) => job.attempt)).to.deep.equal([0])
      expect(stalls).to.deep.equal(['download'])
      expect(events).to.include('job.stalled')
    })

    it('on the eleventh time on one job the queue fails the job without running it, and says so', async () => {
      await bench.queue.enqueue([jobOf(0)])
      await startAndKill(place.options)
      await place.stalled(jobOf(0), 10)
      const given: string[] = []
      const { started } = bench.script([], { lockMs: LOCK_MS, onGivenUp: (job, reason) => given.push(`${job.partition.month} ${reason}`) })
      await bench.counted('failed', 1)
      await until('it was said', () => given.length > 0)
      expect(given).to.deep.equal(['2017-01 job stalled more than allowable limit'])
      expect(started).to.deep.equal([])
      await bench.queue.enqueue([jobOf(0)])
      await bench.counted('completed', 1)
      expect(started, 'asked for again, it starts afresh').to.have.length(1)
    })
  })
}
