import { expect } from 'chai'
import { resolveConfig } from '../../../src/config.js'
import { secretsOf, shownSettings, withoutPassword } from '../../../src/config/shown-settings.js'
import { SETTING_NAMES } from '../../../src/config/settings.js'

const CANARY = 'hunter2-canary'

describe('settings as doctor shows them', () => {
  it('name every setting with value and origin, and no secret', async () => {
    const loaded = await resolveConfig({
      flags: { LATE_DAYS: '7' },
      environment: {
        DATABASE_URL: `postgres://lake:${CANARY}@db:5432/lake?password=${CANARY}`,
        SERVER_USER: 'ann',
        SERVER_PASSWORD: CANARY,
        HTTPS_PROXY: `http://ann:${CANARY}@proxy:3128`,
        CANDLELAKE_FAILPOINTS: 'convert.staged:kill',
      },
      dotenv: { QUEUE_URL: `redis://:${CANARY}@cache:6379` },
      userHome: '/home/ann',
      cores: 2,
    })
    const shown = shownSettings(loaded)
    expect(shown.map(({ name }) => name)).to.deep.equal(SETTING_NAMES)
    expect(JSON.stringify(shown)).to.not.include(CANARY)
    const of = (wanted: string) =>
      shown.filter(({ name }) => name === wanted).map(({ value, origin }) => `${value} ${origin}`)[0]
    expect(of('DATABASE_URL')).to.equal('postgres://lake@db:5432/lake environment')
    expect(of('QUEUE_URL')).to.equal('redis://cache:6379 .env')
    expect(of('SERVER_PASSWORD')).to.equal('set environment')
    expect(of('LATE_DAYS')).to.equal('7 flag')
    expect(of('NO_PROXY')).to.equal('unset default')
    expect(of('CANDLELAKE_FAILPOINTS')).to.equal('convert.staged:kill environment')
  })

  it('leave other text as it is', () => {
    expect(withoutPassword('file:///home/ann/lake')).to.equal('file:///home/ann/lake')
    expect(withoutPassword('/etc/ssl/ca.pem')).to.equal('/etc/ssl/ca.pem')
  })

  it('know every secret that an answer may not hold, those of the store and of any address too', async () => {
    const secrets = {
      DATABASE_URL: 'postgres://lake:of%20database@db:5432/lake?password=of-query', QUEUE_URL: 'redis://:of-queue@cache',
      S3_ENDPOINT: 'https://some:of-endpoint@r2.example', S3_ACCESS_KEY_ID: 'told', S3_SECRET_ACCESS_KEY: 'of-store',
      S3_SESSION_TOKEN: 'of-session', HTTPS_PROXY: 'http://ann:of-proxy@proxy:3128', SERVER_USER: 'ann', SERVER_PASSWORD: 'of-server',
    }
    const { config } = await resolveConfig({ flags: {}, environment: secrets, dotenv: {}, userHome: '/home/ann', cores: 2 })
    expect(secretsOf(config)).to.have.members([
      'of%20database', 'of database', 'of-query', 'of-queue', 'of-queue', 'of-endpoint', 'of-endpoint', 'of-store',
      'of-session', 'of-proxy', 'of-proxy', 'of-server',
    ])
  })
  it('know a password that is no valid escape as it is written', async () => {
    const environment = { HTTPS_PROXY: 'http://ann:100%zz@proxy:3128' }
    const { config } = await resolveConfig({ flags: {}, environment, dotenv: {}, userHome: '/home/ann', cores: 2 })
    expect(secretsOf(config)).to.deep.equal(['100%zz', '100%zz'])
  })
})
