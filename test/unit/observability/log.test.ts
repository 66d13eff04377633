import { expect } from 'chai'
import { hideSecrets, openLog, withoutSecrets } from '../../../src/observability/log.js'

const CANARY = 'hunter2-canary'

function logged(fields: Readonly<Record<string, unknown>>): string {
  let text = ''
  openLog({ level: 'debug', write: (line) => (text += line) }).info('tested', fields)
  return text
}

describe('log', () => {
  it('writes an event and its fields as one JSON line', () => {
    const line = logged({ partition: 'spot-klines/BTCUSDT/1h/2024-01', rows: 744, us: 2n ** 60n })
    expect(line.endsWith('}\n')).to.equal(true)
    const parsed = JSON.parse(line) as Record<string, unknown>
    expect(parsed).to.include({
      level: 'info',
      event: 'tested',
      partition: 'spot-klines/BTCUSDT/1h/2024-01',
      rows: 744,
      us: '1152921504606846976',
    })
    expect(parsed['time']).to.match(/^\d{4}-\d\d-\d\dT.*Z$/)
  })

  it('leaves out what is below its level', () => {
    let text = ''
    const log = openLog({ level: 'warn', write: (line) => (text += line) })
    log.debug('a')
    log.info('b')
    expect(text).to.equal('')
    log.warn('c')
    log.error('d')
    expect(text.trim().split('\n').length).to.equal(2)
  })

  for (const [title, fields] of [
    [
      'fields named after a secret',
      {
        password: CANARY,
        apiKey: CANARY,
        accessKeyId: CANARY,
        Authorization: CANARY,
        nested: [{ sessionToken: CANARY }],
      },
    ],
    [
      'passwords in URLs',
      {
        url: `postgres://lake:${CANARY}@db:5432/lake`,
        other: `redis://:${CANARY}@cache`,
        u: new URL(`http://a:${CANARY}@b/c`),
      },
    ],
    ['passwords with slashes in URLs', { url: `postgres://lake:x/${CANARY}@db/lake` }],
    ['assignments', { dsn: `host=db password=${CANARY} user=lake`, query: `https://h/?token=${CANARY}&x=1` }],
    [
      'messages, stacks and causes of errors',
      { error: new Error('outer', { cause: new Error(`connect postgres://a:${CANARY}@b failed`) }) },
    ],
    [
      'maps, sets and buffers',
      { map: new Map([['secret', CANARY]]), set: new Set([`redis://:${CANARY}@c`]), buffer: Buffer.from(CANARY) },
    ],
  ] as const) {
    it(`hides ${title}`, () => {
      const line = logged(fields)
      expect(line).to.include('tested')
      expect(line).to.not.include(CANARY)
    })
  }

  it('keeps what is no secret', () => {
    expect(withoutSecrets({ passed: 3, key: 'data/x.zip', tokens: null, at: 'https://data.binance.vision/a@b' }))
      .to.deep.equal({ passed: 3, key: 'data/x.zip', tokens: null, at: 'https://data.binance.vision/a@b' })
    expect(hideSecrets('at lake@db:5432')).to.equal('at lake@db:5432')
  })

  it('survives cycles', () => {
    const cycle: Record<string, unknown> = { name: 'x' }
    cycle['self'] = cycle
    expect(logged({ cycle })).to.include('[deep]')
  })
})
