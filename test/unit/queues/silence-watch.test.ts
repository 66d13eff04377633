import { expect } from 'chai'
import { silenceWatch } from '../../../src/workers/silence-watch.js'
import { keptLog } from '../../support/server-parts.js'

describe('a worker that hears nothing from the queue', () => {
  it('says so once after a minute, and once when it hears again', () => {
    const log = keptLog()
    let silentMs = 0
    const look = silenceWatch(() => silentMs, log)
    for (const ms of [0, 60_000, 60_001, 65_000, 900_000, 10, 0, 61_000]) {
      silentMs = ms
      look()
    }
    expect(log.lines.map(({ level, event, fields }) => [level, event, fields])).to.deep.equal([
      ['error', 'worker.silent', { seconds: 60 }], ['info', 'worker.heard_again', undefined], ['error', 'worker.silent', { seconds: 61 }],
    ])
  })
})
