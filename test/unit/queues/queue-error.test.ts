import { expect } from 'chai'
import { PipelineError } from '../../../src/domain/errors.js'
import { isUnreachable, queueError, within } from '../../../src/queues/queue-error.js'

const coded = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code })

describe('queue errors', () => {
  const away: readonly (readonly [string, Error, RegExp])[] = [
    ['a refused connection', coded('ECONNREFUSED', 'connect ECONNREFUSED 10.0.0.1:6379'), /^the queue at q:1 does not answer \(ECONNREFUSED\)$/],
    ['a socket file that is gone', coded('ENOENT', 'connect ENOENT /run/.s.PGSQL.5432'), /does not answer \(ENOENT\)/],
    ['several addresses, all refused', new AggregateError([coded('ECONNREFUSED')], ''), /does not answer \(ECONNREFUSED\)/],
    ['Postgres starting', coded('57P03', 'the database system is starting up'), /does not answer \(57P03\)/],
    ['Postgres stopping', coded('57P01', 'terminating connection due to administrator command'), /\(57P01\)/],
    ['no connection left', coded('53300', 'sorry, too many clients already'), /no connection left/],
    ['a full disk of Postgres', coded('53100', 'could not extend file'), /out of space/],
    ['a wrong password', coded('28P01', 'password authentication failed'), /refuses the credentials/],
    ['Redis without memory', new Error("OOM command not allowed when used memory > 'maxmemory'."), /out of memory/],
    ['Redis loading', new Error('LOADING Redis is loading the dataset in memory'), /does not answer/],
    ['Redis with a full disk', new Error('MISCONF Redis is configured to save RDB snapshots'), /cannot write to its disk/],
    ['Redis wanting a password', new Error('NOAUTH Authentication required.'), /refuses the credentials/],
    ['a closed connection', new Error('Connection is closed.'), /does not answer/],
    ['no free connection in time', new Error('timeout exceeded when trying to connect'), /does not answer/],
  ]
  for (const [what, thrown, says] of away) {
    it(`takes ${what} for the server's fault`, () => {
      expect(isUnreachable(thrown)).to.equal(true)
      expect(queueError(thrown, 'q:1')).to.have.property('code', 'QUEUE_UNREACHABLE')
      expect(queueError(thrown, 'q:1').message).to.match(says)
    })
  }

  it('does not take a mistake of ours, or a job that another worker has, for the server\'s fault', () => {
    const missing = Object.assign(new Error('Missing lock for job a. moveToFinished'), { code: -2 })
    for (const thrown of [new TypeError('x is not a function'), missing, coded('42P01', 'relation does not exist'), 'text']) {
      expect(isUnreachable(thrown)).to.equal(false)
      expect(queueError(thrown, 'q:1').code).to.equal('UNEXPECTED')
    }
  })

  it('drops what a driver hangs on its errors, such as the AUTH command', () => {
    const thrown = Object.assign(new Error('WRONGPASS invalid username-password pair'), { command: { name: 'auth', args: ['canary'] } })
    const error = queueError(thrown, 'q:1')
    expect(JSON.stringify([error, error.facts, error.cause, error.stack])).not.to.include('canary')
  })

  it('leaves an error of ours as it is', () => {
    const ours = new PipelineError('BAD_JOB', 'odd')
    expect(queueError(ours, 'q:1')).to.equal(ours)
  })

  it('ends a call that takes too long, and does not hear what it does later', async () => {
    const began = Date.now()
    const late = (): Promise<never> => new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 60))
    const thrown: unknown = await within(20, 'q:1', late).catch((e: unknown) => e)
    expect(thrown).to.include({ code: 'QUEUE_UNREACHABLE', message: 'the queue at q:1 does not answer within 20 ms' })
    expect(Date.now() - began).to.be.lessThan(5_000)
    await new Promise((resolve) => setTimeout(resolve, 80))
  })
})
