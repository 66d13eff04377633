import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { errorReporter, foreignReporter } from '../../../src/workers/runtime-errors.js'
import { RunningJobs, Running } from '../../../src/workers/runtime-running.js'
import type { StartedJob } from '../../../src/workers/stage.js'
import { jobOf, lines } from '../../contract/queue.harness.js'

describe('worker runtime', () => {
  it('logs the same error of the queue at most every ten seconds, and tells every one to its listener', () => {
    let now = 0
    const told: string[] = []
    const { log, events } = lines()
    const report = errorReporter({ at: 'q:1', stage: 'verify', log, now: () => now, onError: (error) => told.push(error.code) })
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    for (now = 0; now < 25_000; now += 100) report(refused)
    report(new Error('Connection is closed.'))
    expect(told).to.have.length(251)
    expect(events).to.have.length(4)
  })

  it('leaves lost locks to the event that names the job', () => {
    const { log, events } = lines()
    errorReporter({ at: 'q:1', stage: 'verify', log })(new Error('could not renew lock for job a'))
    expect(events).to.deep.equal([])
  })

  it('keeps the first reason why a job was stopped', () => {
    const job: StartedJob = { ...jobOf(0), attempt: 0, lastAttempt: false, waitSeconds: 0 }
    const running = new Running(job)
    const jobs = new RunningJobs()
    jobs.add('a', running)
    expect(running.signal.aborted).to.equal(false)
    running.stop('lost')
    running.stop('shutdown')
    expect(jobs.get('a')?.stopped).to.equal('lost')
    expect(running.signal.reason).to.have.property('code', 'INTERRUPTED')
    jobs.remove('a')
    expect(jobs.all).to.deep.equal([])
  })
})

describe('jobs of a newer program', () => {
  it('are logged one every 10 s, however many there are', () => {
    const said: unknown[] = []
    let now = 0
    const log = { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (_: string, facts?: object) => said.push(facts) }
    const report = foreignReporter(log, () => now)
    for (; now < 25_000; now += 100) report(new PipelineError('JOB_NEWER', 'of version 2'), `job-${now}`)
    expect(said).to.deep.equal([0, 10_000, 20_000].map((at) => ({ jobId: `job-${at}`, code: 'JOB_NEWER', message: 'of version 2' })))
  })
})
