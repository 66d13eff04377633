import { expect } from 'chai'
import { redactor } from '../../../src/server/redact.js'

const { text, value } = redactor(['s3cr3t-canary', 'tiny'])

describe('redaction', () => {
  const hidden: readonly (readonly [string, string])[] = [
    ['connect postgres://lake:pw@db:5432/lake failed', 'connect postgres://[redacted]@db:5432/lake failed'],
    ['redis://:pw@cache:6379', 'redis://[redacted]@cache:6379'],
    ['it was s3cr3t-canary!', 'it was [redacted]!'],
    ['GET /x?X-Amz-Signature=abc&b=1', 'GET /x?X-Amz-Signature=[redacted]&b=1'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: Bearer [redacted]'],
    ['AWS_SECRET_ACCESS_KEY and password=hunter2, then', 'AWS_SECRET_ACCESS_KEY and password=[redacted], then'],
    ['{"apiKey":"abc def"}', '{"apiKey":[redacted]}'],
    ['key AKIAIOSFODNN7EXAMPLE used', 'key [redacted] used'],
  ]
  for (const [given, shown] of hidden) {
    it(`shows ${JSON.stringify(given)} as ${JSON.stringify(shown)}`, () => expect(text(given)).to.equal(shown))
  }

  it('leaves all else as it is', () => {
    for (const plain of [
      'spot-klines/BTCUSDT/1h/2024-01', 'tiny', 'a@b.example', 'https://data.example/x?y=1', '币安人生USDT',
    ]) {
      expect(text(plain)).to.equal(plain)
    }
  })

  it('hides by the names of fields at any depth, and keeps the shape', () => {
    const at = new Date(0)
    expect(value({ a: [{ password: 'x', token: 7, n: 1, none: null, at, t: 's3cr3t-canary' }] }))
      .to.deep.equal({ a: [{ password: '[redacted]', token: '[redacted]', n: 1, none: null, at, t: '[redacted]' }] })
  })
})
