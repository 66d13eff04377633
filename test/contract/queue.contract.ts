import { expect } from 'chai'
import { PipelineError } from '../../src/domain/errors.js'
import { JOB_VERSION } from '../../src/jobs/stage-job.js'
import { NEXT, STAGES } from '../../src/jobs/stages.js'
import { Bench, DONE, idOf, jobOf, jobsOf, lines, QUICK, until, type QueuePlace } from './queue.harness.js'

/** What the queues promise, whichever server they are on. */
export function queueContract(name: string, make: () => Promise<QueuePlace>): void {
  describe(`${name}: queues`, () => {
    let place: QueuePlace
    let bench: Bench
    beforeEach(async () => {
      place = await make()
      bench = await Bench.open(place.options)
    })
    afterEach(async () => {
      await bench.close()
      await place.clean()
    })

    describe('enqueueing', () => {
      it('adds each job under the id of its contract, in its stage', async () => {
        await bench.queue.enqueue([jobOf(0), jobOf(1), jobOf(0, { stage: 'verify' })])
        const counts = await bench.queue.counts()
        expect(counts.download).to.deep.equal({ waiting: 2, active: 0, delayed: 0, completed: 0, failed: 0 })
        expect(counts.verify.waiting).to.equal(1)
        const job = await bench.backend.queue('download').getJob('download__spot-klines__COIN0USDT__1h__2017-01__g1')
        expect(job?.data).to.deep.equal({ v: 1, p: 'spot-klines/COIN0USDT/1h/2017-01', g: 1, k: 'b' })
      })

      it('runs a job once that was enqueued twice', async () => {
        await bench.queue.enqueue([jobOf(0), jobOf(0)])
        await bench.queue.enqueue([jobOf(0)])
        expect((await bench.queue.counts()).download.waiting).to.equal(1)
        const { started } = bench.script([])
        await bench.counted('completed', 1)
        expect(started).to.have.length(1)
      })

      it('takes symbols of any script', async () => {
        const job = { ...jobOf(0), partition: { ...jobOf(0).partition, symbol: '币安人生USDT' } }
        await bench.queue.enqueue([job])
        expect(await bench.queue.alive([job])).to.deep.equal([job])
        const { started } = bench.script([])
        await bench.counted('completed', 1)
        expect(started[0]?.partition.symbol).to.equal('币安人生USDT')
      })

      it('runs a new generation beside kept jobs of the old one, completed and failed', async () => {
        const error = new PipelineError('CORRUPT', 'rows conflict')
        const { started } = bench.script([DONE, { kind: 'fail', error }])
        await bench.queue.enqueue([jobOf(0), jobOf(1)])
        await bench.counted('failed', 1)
        await bench.queue.enqueue([jobOf(0, { generation: 2 }), jobOf(1, { generation: 2 })])
        await bench.counted('completed', 3)
        expect(started.map((job) => job.generation)).to.deep.equal([1, 1, 2, 2])
        expect((await bench.queue.counts()).download.failed).to.equal(1)
      })

      it('runs a job again that is kept as completed or failed under the very same id, from its first attempt', async () => {
        const error = new PipelineError('CORRUPT', 'rows conflict')
        const { started } = bench.script([DONE, { kind: 'fail', error }])
        await bench.queue.enqueue([jobOf(0), jobOf(1)])
        await bench.counted('failed', 1)
        await bench.counted('completed', 1)
        await bench.queue.enqueue([jobOf(0), jobOf(1)])
        await bench.counted('completed', 2)
        expect(started).to.have.length(4)
        expect(started.map((job) => job.attempt)).to.deep.equal([0, 0, 0, 0])
        expect((await bench.queue.counts()).download.failed).to.equal(0)
      })

      it('leaves a job alone that runs, waits or is delayed', async () => {
        let end = (): void => undefined
        const held = new Promise<void>((resolve) => (end = resolve))
        let starts = 0
        const handle = bench.work(async () => {
          if (++starts === 1) return { kind: 'delay', ms: 60_000, code: 'DISK_FULL' }
          await held
          return DONE
        })
        await bench.queue.enqueue([jobOf(0), jobOf(1), jobOf(2)])
        await until('one is delayed and one runs', () => starts === 2 && handle.active().length === 1)
        for (let again = 0; again < 3; again++) await bench.queue.enqueue([jobOf(0), jobOf(1), jobOf(2)])
        const { download } = await bench.queue.counts()
        expect(download).to.deep.equal({ waiting: 1, active: 1, delayed: 1, completed: 0, failed: 0 })
        end()
        await bench.counted('completed', 2)
        expect(starts).to.equal(3)
      })

      it('says which jobs wait, are delayed or run, and leaves out the finished and the unknown', async () => {
        let end = (): void => undefined
        const held = new Promise<void>((resolve) => (end = resolve))
        const error = new PipelineError('CORRUPT', 'rows conflict')
        const answers = [DONE, { kind: 'fail', error } as const, { kind: 'delay', ms: 60_000, code: 'DISK_FULL' } as const]
        const handle = bench.work(async () => {
          const next = answers.shift()
          if (next) return next
          await held
          return DONE
        })
        const [completed, failed, delayed, active, waiting, unknown] = jobsOf(6)
        if (!completed || !failed || !delayed || !active || !waiting || !unknown) throw new Error('six jobs')
        await bench.queue.enqueue([completed, failed, delayed, active, waiting])
        await until('the fourth runs', () => handle.active().length === 1 && answers.length === 0)
        await bench.queue.enqueue([jobOf(9, { kind: 'incremental' })])
        const asked = [completed, failed, delayed, active, waiting, unknown, jobOf(9)]
        expect((await bench.queue.alive(asked)).map(idOf)).to.deep.equal([delayed, active, waiting, jobOf(9)].map(idOf))
        expect(await bench.queue.failures(asked)).to.deep.equal([{ job: failed, why: 'CORRUPT: rows conflict' }])
        end()
      })

      it('looks up more jobs than one call carries', async () => {
        await bench.queue.enqueue(jobsOf(2_500))
        expect((await bench.queue.counts()).download.waiting).to.equal(2_500)
        expect(await bench.queue.alive(jobsOf(2_600))).to.have.length(2_500)
      })
    })

    describe('what becomes of a job', () => {
      it('delays spend no attempt, however many', async () => {
        const delay = { kind: 'delay', ms: 20, code: 'DISK_FULL' } as const
        const { started } = bench.script([delay, delay, delay, delay, delay])
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('completed', 1)
        expect(started.map((job) => job.attempt)).to.deep.equal([0, 0, 0, 0, 0, 0])
      })

      it('retries up to the attempts of the policy, tells which is the last, and keeps the failed job with its reason', async () => {
        const retry = { kind: 'retry', error: new PipelineError('SOURCE_TRUNCATED', 'file ends early', { at: 'x.zip' }) } as const
        const { started } = bench.script([retry, retry, retry])
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('failed', 1)
        expect(started.map((job) => [job.attempt, job.lastAttempt])).to.deep.equal([[0, false], [1, false], [2, true]])
        const [failed] = await bench.backend.queue('download').getFailed()
        expect(failed?.failedReason).to.equal('SOURCE_TRUNCATED: file ends early (x.zip)')
      })

      it('waits between attempts as the policy says, or as long as the other side asked', async () => {
        const starts: number[] = []
        const asked = new PipelineError('ARCHIVE_BUSY', 'slow down', { retryAfterMs: 600 })
        bench.work((job) => {
          starts.push(Date.now())
          if (job.attempt === 2) return Promise.resolve(DONE)
          const error = job.attempt === 0 ? new PipelineError('SOURCE_TRUNCATED', 'file ends early') : asked
          return Promise.resolve({ kind: 'retry', error })
        }, { stages: [{ stage: 'download', policy: { ...QUICK, backoffBaseMs: 400, backoffCapMs: 400 } }] })
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('completed', 1)
        const [first = 0, second = 0, third = 0] = starts
        expect(second - first).to.be.within(195, 10_000)
        expect(third - second).to.be.within(595, 10_000)
      })

      it('runs a failed job again when a person retries it from the dashboard, with its failed attempts counted', async () => {
        const { started } = bench.script([{ kind: 'fail', error: new PipelineError('CORRUPT', 'rows conflict') }])
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('failed', 1)
        const [failed] = await bench.backend.queue('download').getFailed()
        await failed?.retry('failed')
        await bench.counted('completed', 1)
        expect(started.map((job) => job.attempt)).to.deep.equal([0, 1])
      })

      it('ends a job at once that its stage fails', async () => {
        const { started } = bench.script([{ kind: 'fail', error: new PipelineError('CORRUPT', 'rows conflict') }])
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('failed', 1)
        expect(started).to.have.length(1)
      })

      it('fails a job whose payload is of no known form without running it', async () => {
        const { started } = bench.script([])
        await bench.backend.queue('download').add('odd', { v: 1, p: 7 }, { jobId: 'odd-one' })
        await bench.counted('failed', 1)
        expect(started).to.deep.equal([])
        const [failed] = await bench.backend.queue('download').getFailed()
        expect(failed?.failedReason).to.match(/^BAD_JOB: /)
      })

      it('runs a payload as version 0.1.0 wrote it', async () => {
        const { started } = bench.script([])
        const payload = { v: 1, p: 'spot-klines/BTCUSDT/1h/2024-01', g: 3, k: 'r' }
        await bench.backend.queue('download').add('old', payload, { jobId: 'download__spot-klines__BTCUSDT__1h__2024-01__g3' })
        await bench.counted('completed', 1)
        expect(started[0]).to.deep.include({
          partition: { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1h', month: '2024-01' }, generation: 3, kind: 'retry', attempt: 0,
        })
      })

      it('leaves a job of a newer program for a newer worker: delayed, not run, and no attempt spent', async () => {
        const { log, events } = lines()
        const { started } = bench.script([], { log })
        const queue = bench.backend.queue('download')
        await queue.add('new', { v: JOB_VERSION + 1, partitions: [] }, { jobId: 'newer-one' })
        await bench.counted('delayed', 1)
        expect(started).to.deep.equal([])
        expect(events).to.include('job.newer')
        const job = await queue.getJob('newer-one')
        expect(job?.attemptsMade).to.equal(0)
        await bench.queue.enqueue([jobOf(0)])
        await until('others go on', () => started.length === 1)
      })

      it('delays a job without an attempt when the runner throws for infrastructure, and retries it for the rest', async () => {
        const attempts: number[] = []
        bench.work((job) => {
          attempts.push(job.attempt)
          if (attempts.length === 1) return Promise.reject(new PipelineError('DISK_FULL', 'no space', { retryAfterMs: 10 }))
          if (attempts.length === 2) return Promise.reject(new TypeError('a bug'))
          return Promise.resolve(DONE)
        })
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('completed', 1)
        expect(attempts).to.deep.equal([0, 0, 1])
      })
    })

    describe('what others see', () => {
      it('counts completed and failed jobs in the metrics that BullMQ exports', async () => {
        bench.script([{ kind: 'fail', error: new PipelineError('CORRUPT', 'rows conflict') }])
        await bench.queue.enqueue(jobsOf(3))
        await bench.counted('completed', 2)
        const text = await bench.backend.queue('download').exportPrometheusMetrics()
        expect(text).to.match(/^bullmq_job_completed_total\{queue="download"\} 2$/m)
        expect(text).to.match(/^bullmq_job_failed_total\{queue="download"\} 1$/m)
      })

      it('hears from an idle worker within seconds, also while jobs are delayed for long', async () => {
        const { handle, started } = bench.script([{ kind: 'delay', ms: 3_600_000, code: 'DISK_FULL' }])
        await bench.queue.enqueue([jobOf(0)])
        await bench.counted('delayed', 1)
        expect(started).to.have.length(1)
        let oldest = 0
        const end = Date.now() + 12_000
        await until('twelve seconds went by', () => {
          oldest = Math.max(oldest, handle.progressAgeMs())
          return Date.now() > end
        })
        expect(oldest).to.be.within(1, 11_500)
      })

      it('says what the server is and where', async () => {
        expect(await bench.backend.describe()).to.match(/^(Redis|Valkey|Postgres) \d+[.\d]* at \S+$/)
      })
    })

    describe('while infrastructure says no', () => {
      const PAUSE_MS = 700
      const refused = { kind: 'delay', ms: PAUSE_MS, code: 'STAGING_FULL' } as const

      it('one job at a time tries, the other stages go on, and all is done when it says yes again', async function () {
        this.timeout(60_000)
        const [jobs, concurrency] = [300, 4]
        const tries: number[] = []
        let isAway = true
        const attempts = new Set<number>()
        bench.work((job) => {
          attempts.add(job.attempt)
          if (job.stage !== 'download' || !isAway) return Promise.resolve(DONE)
          tries.push(Date.now())
          return Promise.resolve(refused)
        }, { stages: [{ stage: 'download', concurrency }, { stage: 'verify', concurrency: 1 }] })
        await bench.queue.enqueue(jobsOf(jobs))
        await until('the stage was tried', () => tries.length > 0)
        await bench.queue.enqueue(jobsOf(20, { stage: 'verify' }))
        await until('the other stage is done', async () => (await bench.queue.counts()).verify.completed === 20)
        await until('some pauses went by', () => Date.now() > (tries[0] ?? 0) + 6 * PAUSE_MS)
        // Those in hand when it began, then one a pause: 300 would have been tried within the first.
        expect(tries.length).to.be.within(4, 2 * concurrency + 7)
        isAway = false
        await until('all are done', async () => {
          const { waiting, active, delayed } = (await bench.queue.counts()).download
          return waiting + active + delayed === 0
        })
        expect([...attempts], 'no attempt was spent').to.deep.equal([0])
      })

      it('a partition that somebody else has, or whose own source is away, holds nobody back', async () => {
        const done: string[] = []
        bench.work((job) => {
          const { month } = job.partition
          if (month === '2017-01') return Promise.resolve({ kind: 'delay', ms: 60_000, code: 'ARCHIVE_UNREACHABLE' } as const)
          if (month <= '2017-04') return Promise.resolve({ kind: 'delay', ms: 60_000, code: 'LEASE_HELD' } as const)
          done.push(month)
          return Promise.resolve(DONE)
        })
        await bench.queue.enqueue(jobsOf(30))
        await until('the others are done', () => done.length === 26)
        await bench.counted('delayed', 4)
      })

      it('a worker that waits for it can be drained at once', async () => {
        const { handle, started } = bench.script(Array.from({ length: 9 }, () => ({ ...refused, ms: 60_000 })))
        await bench.queue.enqueue(jobsOf(9))
        await bench.counted('delayed', 2)
        expect(started).to.have.length(2)
        const begun = Date.now()
        await handle.drain(30_000)
        expect(Date.now() - begun).to.be.lessThan(5_000)
        expect((await bench.queue.counts()).download).to.include({ waiting: 7, active: 0, delayed: 2 })
      })
    })

    describe('signals', () => {
      it('fires a job\'s signal when it is cancelled, and leaves its end to the runner', async () => {
        const handle = bench.work((_, signal) => new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ kind: 'done', outcome: 'skipped' }))
        }))
        await bench.queue.enqueue([jobOf(0), jobOf(1)])
        await until('the first runs', () => handle.active().length === 1)
        expect(handle.cancel((job) => job.partition.month === '2017-02')).to.equal(0)
        expect(handle.cancel((job) => job.partition.month === '2017-01')).to.equal(1)
        await bench.counted('completed', 1)
      })

      it('fires a job\'s signal when its lock is somebody else\'s, and does not touch the job', async () => {
        const told: unknown[] = []
        const { log, events } = lines()
        const handle = bench.work((_, signal) => new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            told.push(signal.reason)
            resolve(DONE)
          })
        }), { lockMs: 800, log })
        await bench.queue.enqueue([jobOf(0)])
        await until('the job runs', () => handle.active().length === 1)
        await place.stealLock(jobOf(0), 60_000)
        await until('the signal fired', () => told.length === 1)
        await until('nothing runs here', () => handle.active().length === 0)
        expect(told[0]).to.have.property('message', 'the lock on this job was lost: another worker may have it')
        expect(events).to.include('job.lock_lost')
        const { download } = await bench.queue.counts()
        expect(download).to.include({ active: 1, completed: 0, failed: 0 })
      })
    })

    it('never runs a job twice at once in one process: what lost its lock ends first, then the job runs again', async () => {
      const ends: (() => void)[] = []
      const starts: number[] = []
      const { log, events } = lines()
      bench.work((job) => {
        starts.push(job.attempt)
        // Deaf to its signal, like a stage in the middle of a long call.
        return new Promise((resolve) => ends.push(() => resolve(DONE)))
      }, { lockMs: 600, settleMs: 60_000, log, stages: [{ stage: 'download', concurrency: 3 }] })
      await bench.queue.enqueue([jobOf(0)])
      await until('it runs', () => starts.length === 1)
      await place.stealLock(jobOf(0), 100)
      await until('it stalled', () => events.includes('job.stalled'))
      await bench.counted('delayed', 1)
      expect(starts).to.have.length(1)
      ends[0]?.()
      await until('it runs again', () => starts.length === 2)
      ends[1]?.()
      await bench.counted('completed', 1)
      expect(starts).to.deep.equal([0, 0])
    })

    describe('order', () => {
      it('takes an incremental job through all stages while 10,000 of a backfill wait in each', async function () {
        this.timeout(120_000)
        const waiting = 10_000
        const [first, ...others] = STAGES
        await bench.queue.enqueue(jobsOf(waiting, { stage: first }))
        for (const stage of others) await bench.queue.enqueue(jobsOf(waiting, { stage }))
        const urgent = jobOf(96 * 500, { kind: 'incremental' })
        await bench.queue.enqueue([urgent])
        const order: string[] = []
        let finished = false
        bench.work(async (job) => {
          if (finished) return DONE
          order.push(`${job.stage} ${job.kind}`)
          const next = job.stage === 'migrate' ? null : NEXT[job.stage]
          if (job.kind === 'incremental' && next) await bench.queue.enqueue([{ ...job, stage: next }])
          // The last stage may be through before the one before it knows that its job was added.
          finished ||= job.kind === 'incremental' && next === null
          return DONE
        }, { stages: STAGES.map((stage) => ({ stage, concurrency: 1 })) })
        await until('the incremental job is through', () => finished, 60_000)
        const urgentAt = STAGES.map((stage) => order.filter((o) => o.startsWith(`${stage} `)).indexOf(`${stage} incremental`))
        expect(urgentAt[0]).to.equal(0)
        // The later stages work on the backfill until the job arrives.
        expect(Math.max(...urgentAt)).to.be.lessThan(2_000)
        const counts = await bench.queue.counts()
        for (const stage of STAGES) expect(counts[stage].waiting).to.be.greaterThan(waiting - 2_000)
      })

      it('takes retries before the backfill, and within a kind the first that came', async () => {
        await bench.queue.enqueue([jobOf(0), jobOf(1), jobOf(2, { kind: 'retry' }), jobOf(3, { kind: 'incremental' }), jobOf(4)])
        const { started } = bench.script([])
        await bench.counted('completed', 5)
        expect(started.map((job) => job.partition.month)).to.deep.equal(['2017-04', '2017-03', '2017-01', '2017-02', '2017-05'])
      })
    })
  })
}
