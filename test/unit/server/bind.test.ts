import { expect } from 'chai'
import type { PipelineError } from '../../../src/domain/errors.js'
import { assertSafeBind, isLoopback } from '../../../src/server/bind.js'

const LOOPBACK = ['127.0.0.1', '127.9.9.9', '::1', '[::1]', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1']
const REACHABLE = [
  '0.0.0.0', '::', '[::]', '192.168.1.4', '10.0.0.1', '172.16.0.9', 'fe80::1', '128.0.0.1', '::ffff:10.0.0.1', 'lake-1',
  '127.0.0.1.example', 'localhost.example', '', '127.1', '2130706433',
]
const strong = { user: 'operator', password: 'a-long-password' }

function refusal(host: string, credentials: { user: string; password: string } | null): PipelineError | null {
  try {
    assertSafeBind(host, credentials)
    return null
  } catch (thrown) {
    return thrown as PipelineError
  }
}

describe('where the server may listen', () => {
  for (const host of LOOPBACK) {
    it(`${host} is this machine only, and needs no password`, () => {
      expect(isLoopback(host)).to.equal(true)
      expect(refusal(host, null)).to.equal(null)
      expect(refusal(host, { user: 'me', password: 'short' })).to.equal(null)
    })
  }

  for (const host of REACHABLE) {
    it(`"${host}" is refused without a password of 12 characters`, () => {
      expect(isLoopback(host)).to.equal(false)
      expect(refusal(host, null)?.code).to.equal('UNSAFE_BIND')
      const weak = refusal(host, { user: 'operator', password: 'hunter2-hun' })
      expect(weak?.code).to.equal('UNSAFE_BIND')
      expect(JSON.stringify([weak?.message, weak?.facts])).to.not.include('hunter2')
      expect(refusal(host, strong)).to.equal(null)
    })
  }

  it('credentials that basic authentication cannot carry are refused', () => {
    const users = ['', 'a:b', 'a\nb'].map((user) => ({ ...strong, user }))
    const passwords = ['', 'a\u0000b'].map((password) => ({ ...strong, password }))
    for (const bad of [...users, ...passwords]) expect(refusal('127.0.0.1', bad)?.code).to.equal('BAD_CONFIG')
  })
})
