import { expect } from 'chai'
import { setTimeout as sleep } from 'node:timers/promises'
import { PipelineError } from '../../../src/domain/errors.js'
import { keptReading } from '../../../src/observability/reading.js'

describe('a kept reading', () => {
  it('asks once for all who come while it is under way or kept', async () => {
    let asked = 0
    const read = keptReading({ read: async () => sleep(20, ++asked), limitMs: 5_000, keepMs: 60_000 })
    const values = await Promise.all([read(), read(), read()])
    await read()
    expect(values).to.deep.equal(Array.from({ length: 3 }, () => ({ ok: true, value: 1 })))
    expect(asked).to.equal(1)
  })

  it('asks again when it is kept no longer', async () => {
    let asked = 0
    const read = keptReading({ read: () => Promise.resolve(++asked), limitMs: 5_000, keepMs: 0 })
    await read()
    expect(await read()).to.deep.equal({ ok: true, value: 2 })
  })

  it('gives the code of a failure and nothing of its text', async () => {
    const failures = [new PipelineError('CATALOG_UNREACHABLE', 'postgres://u:secret@db'), new Error('secret')]
    const codes = await Promise.all(failures.map((failure) =>
      keptReading({ read: () => Promise.reject(failure), limitMs: 5_000, keepMs: 0 })()))
    expect(codes).to.deep.equal([{ ok: false, code: 'CATALOG_UNREACHABLE' }, { ok: false, code: 'UNEXPECTED' }])
  })

  it('answers in time when nothing comes back, does not ask twice meanwhile, and recovers', async () => {
    let asked = 0
    const hanging = (): Promise<string> => (++asked === 1 ? new Promise(() => undefined) : Promise.resolve('back'))
    const read = keptReading({ read: hanging, limitMs: 100, keepMs: 0 })
    expect(await read()).to.deep.equal({ ok: false, code: 'TIMED_OUT' })
    expect(await read()).to.deep.equal({ ok: false, code: 'TIMED_OUT' })
    expect(asked).to.equal(1)
    await sleep(1_050)
    expect(await read()).to.deep.equal({ ok: true, value: 'back' })
  })
})
