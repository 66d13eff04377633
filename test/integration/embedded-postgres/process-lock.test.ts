import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withProcessLock } from '../../../src/adapters/embedded-postgres/process-lock.js'
import { livenessOf, newProcessToken } from '../../../src/adapters/embedded-postgres/process-token.js'
import { PipelineError } from '../../../src/domain/errors.js'

describe('process lock', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lock-test-'))
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const lock = (): string => join(dir, 'lock')

  /** Starts racers at once; the answer is how many ended themselves with SIGKILL while inside. */
  async function race(o: { racers: number; rounds: number; dieInRound: (racer: number) => number }): Promise<number> {
    const ended = Array.from({ length: o.racers }, async (_, racer) => {
      const script = join(import.meta.dirname, 'lock-racer.js')
      const args = [script, lock(), join(dir, 'log'), String(o.rounds), String(o.dieInRound(racer))]
      const child = spawn(process.execPath, args, { stdio: 'inherit' })
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      expect(code === 0 || signal === 'SIGKILL', `racer ${racer} ended with ${code ?? signal ?? ''}`).to.equal(true)
      return signal === null ? 0 : 1
    })
    return (await Promise.all(ended)).reduce<number>((a, b) => a + b, 0)
  }

  /** Leavings that do not follow on the same process's entry; who never left was killed inside. */
  function overlaps(): { entries: number; neverLeft: number; overlapping: string[] } {
    const lines = readFileSync(join(dir, 'log'), 'utf8').trim().split('\n')
    const entries = lines.filter((line) => line.startsWith('enter')).length
    const overlapping = lines.filter((line, i) => {
      const before = lines[i - 1]
      return line.startsWith('leave') && before !== line.replace('leave', 'enter')
    })
    return { entries, neverLeft: entries * 2 - lines.length, overlapping }
  }

  it('of 20 processes that want it 10 times each, one is inside at any time', async () => {
    expect(await race({ racers: 20, rounds: 10, dieInRound: () => -1 })).to.equal(0)
    expect(overlaps()).to.deep.equal({ entries: 200, neverLeft: 0, overlapping: [] })
    expect(readdirSync(dir).sort(), 'nothing but the empty lock is left').to.deep.equal(['lock', 'log'])
  })

  it('the lock of a process killed inside goes to exactly one of those who wait', async () => {
    const killed = await race({ racers: 20, rounds: 6, dieInRound: (racer) => (racer % 2 === 0 ? racer % 6 : -1) })
    expect(killed).to.equal(10)
    const { neverLeft, overlapping } = overlaps()
    expect({ neverLeft, overlapping }).to.deep.equal({ neverLeft: 10, overlapping: [] })
  })

  it('is free again after work that throws', async () => {
    const work = (): Promise<never> => Promise.reject(new Error('no'))
    const failed = await withProcessLock({ dir: lock(), waitMs: 0 }, work).catch(String)
    expect(failed).to.equal('Error: no')
    expect(await withProcessLock({ dir: lock(), waitMs: 0 }, () => Promise.resolve('free'))).to.equal('free')
  })

  it('waits no longer than told, and names who holds it', async () => {
    const error = await withProcessLock({ dir: lock(), waitMs: 1_000 }, () =>
      withProcessLock({ dir: lock(), waitMs: 100 }, () => Promise.resolve()).catch((e: unknown) => e),
    )
    expect(error).to.be.instanceOf(PipelineError)
    expect((error as PipelineError).code).to.equal('EMBEDDED_FAILED')
    expect((error as PipelineError).facts).to.include({ pid: process.pid })
  })

  it('a process of another host is believed for five minutes', async () => {
    const foreign = newProcessToken().replace(/-[0-9a-f]{8}-/, '-00000000-')
    expect(livenessOf(foreign)).to.equal('elsewhere')
    mkdirSync(lock())
    writeFileSync(join(lock(), foreign), '')
    const take = (): Promise<string> => withProcessLock({ dir: lock(), waitMs: 50 }, () => Promise.resolve('taken'))
    const refused = await take().catch((e: unknown) => e)
    expect(refused).to.be.instanceOf(PipelineError)
    const sixMinutesAgo = Date.now() / 1000 - 360
    utimesSync(join(lock(), foreign), sixMinutesAgo, sixMinutesAgo)
    expect(await take()).to.equal('taken')
  })

  it('a token names this process, not a later one of the same pid', () => {
    const token = newProcessToken()
    expect(livenessOf(token)).to.equal('alive')
    const [pid = '', start = '', ...rest] = token.split('-')
    expect(livenessOf([pid, `9${start}`, ...rest].join('-'))).to.equal('dead')
    expect(livenessOf('.DS_Store')).to.equal('dead')
  })
})
